import { type Command, InvalidArgumentError, Option } from "commander";
import { type Cell, evaluate, gridCells, loadQuestions, reportMarkdown, writeReports } from "../../eval/index.js";
import { loaders } from "../../eval/loaders/registry.js";
import type { LoadOptions, PlanStage } from "../../index.js";
import { parsePruneSpec } from "../../prune/parse-prune-spec.js";
import { methods } from "../../prune/registry.js";
import { collect } from "../collect.js";
import type { CliContext } from "../context.js";
import { given } from "../given.js";
import { methodsHelp } from "../methods-help.js";
import { dtypeOption, type ModelOptions, mmprojOption, modelOption } from "../model-option.js";
import { parseNumber } from "../parse-number.js";
import { collectSpec, planCell } from "../plan-cells.js";
import { usageError } from "../plan-options.js";
import { ProgressLine, progressText } from "../progress-line.js";

interface EvalOptions extends ModelOptions {
  dtype: NonNullable<LoadOptions["dtype"]>;
  format?: string;
  images?: string;
  limit?: number;
  suffix?: string;
  method?: PlanStage[];
  keep: number[];
  prune?: Cell[];
  plan?: string[];
  maxTokens?: number;
  concurrency?: number;
  timed?: number;
  out?: string;
  resume?: boolean;
  json?: boolean;
}

/** Adds `fovea eval`: what methods cost in accuracy and save in time, over a set of questions. */
export function addEvalCommand(program: Command, context: CliContext): void {
  program
    .command("eval")
    .summary("measure what dropping rows costs, over questions about pictures")
    .description(
      "Asks the same questions without pruning and under every plan, and compares accuracy, loyalty (the same reply as " +
        "without pruning), rows, FLOPs and milliseconds.",
    )
    .argument("<questions>", "a file of questions, or its folder")
    .addOption(modelOption())
    .addOption(mmprojOption())
    .addOption(dtypeOption())
    .option("--threads <n>", "compute threads", parseNumber)
    .addOption(new Option("--format <name>", "default: recognised").choices(loaders.map(({ name }) => name)))
    .option("--images <folder>", "the pictures; default: where the authors put them, next to the questions")
    .option("--limit <n>", "only the first n questions", parseNumber)
    .option("--suffix <text>", 'goes behind every question; default: what LLaVA-1.5 adds; "" for nothing')
    .option("--method <list>", 'methods to run at every --keep, as in divPrune,random:seed=3; or "all"', readMethods)
    .option("--keep <shares>", "shares of the visual rows, mean over the layers", readShares, [0.5, 0.25, 0.125])
    .option("--prune <spec>", "one more plan, as for fovea ask (repeatable)", usageError(collectSpec))
    .option("--plan <file>", "one more plan, a JSON file (repeatable)", collect)
    .option("--max-tokens <n>", "tokens of an answer at most; default 64", parseNumber)
    .option("--concurrency <n>", "questions asked at a time; default 1", parseNumber)
    .option("--timed <n>", "questions to measure milliseconds with, at the end, one at a time; default 24", parseNumber)
    .option("--out <folder>", "write answers as they come, then results.json, report.md and report.html")
    .option("--resume", "with --out: ask only what was not answered yet")
    .option("--json", "print results.json instead of report.md")
    .addHelpText("after", () => `${formatsHelp()}${methodsHelp()}`)
    .action((questions: string, options: EvalOptions) => run(questions, options, context));
}

async function run(path: string, options: EvalOptions, context: CliContext): Promise<void> {
  const { out, err, signal } = context;
  const plans = await Promise.all((options.plan ?? []).map(planCell));
  const questions = await loadQuestions(path, given(options, ["format", "images", "limit", "suffix"]));
  const model = await context.engine.loadModel(options.model, given(options, ["mmproj", "dtype", "threads"]));
  const line = new ProgressLine(err, progressText);
  try {
    const { cells, skipped } = gridCells(options.method ?? [], options.keep, model.info);
    for (const { name, reason } of skipped) err.write(`skipped ${name}: ${reason}\n`);
    const evaluation = await evaluate({
      model,
      questions,
      cells: [...cells, ...(options.prune ?? []), ...plans],
      skipped,
      ...given(options, ["out", "resume", "concurrency", "timed", "maxTokens"]),
      signal,
      onProgress: (progress) => line.update(progress),
    });
    line.clear();
    if (options.out !== undefined) await writeReports(evaluation, options.out);
    out.write(`${options.json === true ? JSON.stringify(evaluation) : reportMarkdown(evaluation)}\n`);
  } catch (error) {
    line.clear();
    if (signal.aborted && options.out !== undefined) err.write(`Stopped; --resume goes on from ${options.out}.\n`);
    throw error;
  } finally {
    await model.dispose();
  }
}

function readMethods(text: string): PlanStage[] {
  if (text === "all") return [...methods.keys()].map((method) => ({ method }));
  return usageError(parsePruneSpec)(text);
}

function readShares(text: string): number[] {
  return text.split(",").map((piece) => {
    const share = parseNumber(piece);
    if (!(share > 0 && share <= 1)) throw new InvalidArgumentError("Expected shares above 0 and at most 1.");
    return share;
  });
}

function formatsHelp(): string {
  return `\nFormats of questions:\n${loaders.map(({ name, doc }) => `  ${name.padEnd(10)}${doc}\n`).join("")}`;
}
