import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { loadQuestions } from "../../eval/index.js";
import { loaders } from "../../eval/loaders/registry.js";
import type { Budget, LoadOptions, PlanCosts, PlanStage } from "../../index.js";
import { parseBudgetSpec } from "../../prune/budget/budget.js";
import { parsePruneSpec } from "../../prune/parse-prune-spec.js";
import { type TunedPlan, type TuneProgress, tune } from "../../tune/index.js";
import type { CliContext } from "../context.js";
import { given } from "../given.js";
import { methodsHelp } from "../methods-help.js";
import { dtypeOption, type ModelOptions, mmprojOption, modelOption } from "../model-option.js";
import { parseNumber } from "../parse-number.js";
import { usageError } from "../plan-options.js";
import { ProgressLine } from "../progress-line.js";

interface TuneCommandOptions extends ModelOptions {
  dtype: NonNullable<LoadOptions["dtype"]>;
  format?: string;
  images?: string;
  suffix?: string;
  prune: PlanStage[];
  budget: Budget;
  samples?: number;
  heldOut?: number;
  evaluations?: number;
  seed?: number;
  maxTokens?: number;
  log?: string;
  out?: string;
}

/** Adds `fovea tune`: the best plan under a budget, for a model and somebody's questions. */
export function addTuneCommand(program: Command, context: CliContext): void {
  program
    .command("tune")
    .summary("search the plan that suits your questions, under a budget")
    .description(
      "Searches the ratios and layers that methods leave open. The plan that wins is the one under which the prompt's " +
        "last row points most nearly where it does without pruning; it is then tried on questions about other pictures.",
    )
    .argument("<questions>", "a file of questions about pictures, or its folder; as for fovea eval")
    .requiredOption(
      "--budget <kind=limit>",
      "what a prompt may cost: rows, ratio, flops, kvBytes or ms",
      usageError(parseBudgetSpec),
    )
    .option(
      "--prune <spec>",
      "methods to combine; what a method is not told is searched",
      usageError(parsePruneSpec),
      parsePruneSpec("divPrune,pyramidDrop"),
    )
    .option("--out <file.json>", "write the plan there, for --plan; default: print it")
    .option("--log <file.jsonl>", "write every value there; the same command goes on from it")
    .option("--samples <n>", "questions that plans are compared on; default 32", parseNumber)
    .option("--held-out <n>", "questions that the best plan is tried on; default 64", parseNumber)
    .option("--evaluations <n>", "plans to try; default 60", parseNumber)
    .option("--seed <n>", "start of the random numbers; default 0", parseNumber)
    .option("--max-tokens <n>", "tokens of an answer at most; default 64", parseNumber)
    .addOption(new Option("--format <name>", "default: recognised").choices(loaders.map(({ name }) => name)))
    .option("--images <folder>", "the pictures; default: where the authors put them, next to the questions")
    .option("--suffix <text>", 'goes behind every question; default: what LLaVA-1.5 adds; "" for nothing')
    .addOption(modelOption())
    .addOption(mmprojOption())
    .addOption(dtypeOption())
    .option("--threads <n>", "compute threads", parseNumber)
    .addHelpText("after", methodsHelp)
    .action((questions: string, options: TuneCommandOptions) => run(questions, options, context));
}

async function run(path: string, options: TuneCommandOptions, context: CliContext): Promise<void> {
  const { out, err, signal, colours } = context;
  const { model: name, mmproj: _, dtype, threads: __, format, images, suffix, prune, out: file, ...search } = options;
  const questions = await loadQuestions(path, {
    ...(format !== undefined && { format }),
    ...(images !== undefined && { images }),
    ...(suffix !== undefined && { suffix }),
  });
  const model = await context.engine.loadModel(name, { dtype, ...given(options, ["mmproj", "threads"]) });
  const line = new ProgressLine(err, tuneText);
  try {
    const onProgress = (progress: TuneProgress) => line.update(progress);
    const plan = await tune({ ...search, model, questions, stages: prune, signal, onProgress });
    line.clear();
    const text = `${JSON.stringify(plan, null, 2)}\n`;
    if (file === undefined) out.write(text);
    else await writeFile(file, text);
    err.write(`${report(plan).map(colours.dim).join("\n")}\n`);
  } catch (error) {
    line.clear();
    if (signal.aborted && options.log !== undefined)
      err.write(`Stopped; the same command goes on from ${options.log}.\n`);
    throw error;
  } finally {
    await model.dispose();
  }
}

function tuneText({ phase, done, total, best }: TuneProgress): string {
  const what = { prepare: "unpruned", search: "plans", try: "held-out questions" }[phase];
  return `${what}: ${done} of ${total}${best === undefined ? "" : `, best likeness ${best.toFixed(4)}`}`;
}

function report({ notes }: TunedPlan): string[] {
  const { likeness, firstLikeness, predicted, unpruned, heldOut } = notes;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const gigaMacs = ({ macs }: PlanCosts) => `${(macs / 1e9).toFixed(2)} GMACs`;
  const lines = [
    `likeness ${likeness.toFixed(4)}; an even division ${firstLikeness.toFixed(4)}`,
    `longest prompt: ${percent(predicted.ratio)} of the visual rows, ${gigaMacs(predicted)} of ${gigaMacs(unpruned)}`,
  ];
  if (heldOut === undefined) return lines;
  const { questions, loyalty, ms, unprunedMs } = heldOut;
  const interval = `${percent(loyalty.low)} to ${percent(loyalty.high)}`;
  return [
    ...lines,
    `${questions} other questions: same answer ${percent(loyalty.value)} (${interval}), ` +
      `first token after ${ms.toFixed(1)} ms instead of ${unprunedMs.toFixed(1)} ms`,
  ];
}
