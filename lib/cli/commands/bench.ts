import { type Command, InvalidArgumentError, Option } from "commander";
import { measurePhases } from "../../bench/measure-phases.js";
import { phasesCsv, phasesMarkdown } from "../../bench/phases-table.js";
import type { Cell } from "../../eval/cell.js";
import { collect } from "../collect.js";
import type { CliContext } from "../context.js";
import { given } from "../given.js";
import { methodsHelp } from "../methods-help.js";
import { dtypeOption, type ModelOptions, mmprojOption, modelOption } from "../model-option.js";
import { parseNumber } from "../parse-number.js";
import { collectSpec, namedCells } from "../plan-cells.js";
import { usageError } from "../plan-options.js";
import { ProgressLine } from "../progress-line.js";

interface BenchOptions extends ModelOptions {
  sizes: [number, number][];
  prune?: Cell[];
  plan?: string[];
  prompt: string;
  tokens: number;
  repetitions: number;
  warmUp: number;
  format: "markdown" | "csv" | "json";
}

/** Adds `fovea bench`: how long a model takes here, with and without pruning. */
export function addBenchCommand(program: Command, context: CliContext): void {
  program
    .command("bench")
    .summary("measure how fast a model is on this machine, with and without pruning")
    .description(
      "Milliseconds of encoding a picture, of the prompt through the decoder, and of a token, for sizes of pictures and " +
        "plans in turn: medians, and the lowest and highest.",
    )
    .addOption(modelOption())
    .addOption(mmprojOption())
    .addOption(dtypeOption())
    .option("--threads <n>", "compute threads", parseNumber)
    .option("--sizes <list>", "made-up pictures, as in 224x224,1024x768", readSizes, [[512, 512]])
    .option("--prune <spec>", "a plan beside the unpruned, as for fovea ask (repeatable)", usageError(collectSpec))
    .option("--plan <file or name>", "one more plan: a JSON file, or a preset (repeatable)", collect)
    .option("--prompt <text>", "the question", "Describe the image.")
    .option("--tokens <n>", "tokens to generate", parseCount(1), 32)
    .option("--repetitions <n>", "answers that count, of each", parseCount(1), 5)
    .option("--warm-up <n>", "answers before them that do not", parseCount(0), 1)
    .addOption(new Option("--format <name>", "of the table").choices(["markdown", "csv", "json"]).default("markdown"))
    .addHelpText("after", methodsHelp)
    .action((options: BenchOptions) => run(options, context));
}

async function run(options: BenchOptions, context: CliContext): Promise<void> {
  const { out, err, signal } = context;
  const plans = await namedCells(options);
  const model = await context.engine.loadModel(options.model, given(options, ["mmproj", "dtype", "threads"]));
  const line = new ProgressLine<{ done: number; total: number }>(
    err,
    ({ done, total }) => `${done} of ${total} answers`,
  );
  try {
    const { sizes, prompt, tokens, repetitions, warmUp, format } = options;
    const cells = await measurePhases(model, {
      sizes,
      plans,
      prompt,
      tokens,
      repetitions,
      warmUp,
      signal,
      onProgress: (progress) => line.update(progress),
    }).finally(() => line.clear());
    const { brand } = context.engine.cpuInfo();
    const { path: folder, dtype, tier, threads, parameters, weightBytes } = model.info;
    if (format === "csv") {
      out.write(phasesCsv(cells));
    } else if (format === "json") {
      out.write(`${JSON.stringify({ folder, dtype, cpu: brand, tier, threads, parameters, weightBytes, cells })}\n`);
    } else {
      const size = `${(parameters / 1e6).toFixed(0)} M parameters, ${(weightBytes / 1e6).toFixed(0)} MB as ${dtype}`;
      out.write(`${folder}: ${size}; ${brand}, ${tier}, ${threads} threads; milliseconds\n\n${phasesMarkdown(cells)}`);
    }
  } finally {
    await model.dispose();
  }
}

function readSizes(text: string): [number, number][] {
  return text.split(",").map((piece) => {
    const [width = 0, height = 0, ...rest] = piece.split("x").map(Number);
    const isSide = (side: number) => Number.isInteger(side) && side >= 1 && side <= 16_384;
    if (rest.length > 0 || !isSide(width) || !isSide(height)) {
      throw new InvalidArgumentError(`Expected sizes as in 512x512, sides from 1 to 16384; got ${piece}.`);
    }
    return [width, height];
  });
}

function parseCount(from: number): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (!Number.isInteger(value) || value < from || value > 10_000) {
      throw new InvalidArgumentError(`Expected a whole number from ${from} to 10000.`);
    }
    return value;
  };
}
