import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { type CalibrateOptions, type Calibration, calibrate } from "../../calibrate/calibrate.js";
import type { RowKind } from "../../calibrate/depth-table.js";
import { readSamples } from "../../calibrate/read-samples.js";
import type { CliContext } from "../context.js";
import { depthTableText } from "../depth-table-text.js";
import { given } from "../given.js";
import { type ModelOptions, mmprojOption, modelOption } from "../model-option.js";
import { parseNumber } from "../parse-number.js";
import { addPlanOptions, type PlanOptions, readPlan } from "../plan-options.js";

interface CalibrateCommandOptions extends PlanOptions, ModelOptions {
  drop: CalibrateOptions["drop"];
  count: number;
  rows: RowKind;
  iterative?: boolean;
  window?: boolean;
  question: string;
  limit?: number;
  out?: string;
  json?: boolean;
}

/** Adds `fovea calibrate`: finds the sub-layers that matter least for somebody's images and questions. */
export function addCalibrateCommand(program: Command, context: CliContext): void {
  const command = program
    .command("calibrate")
    .summary("find the layers that your images and questions need least, and write a plan that skips them")
    .description(
      "Measures what every decoder layer does to the rows of your prompts, and writes a plan that skips those that do " +
        "least: LLM-Drop (attention, ffn, joint) and ShortGPT (block).",
    )
    .argument("<samples>", 'a JSONL file of {"image": "a.png", "question": "…"}, or a folder of pictures')
    .addOption(
      new Option("--drop <kind>", "what to drop").choices(["attention", "ffn", "block", "joint"]).default("attention"),
    )
    .option("--count <n>", "how many sub-layers, or layers with block", parseNumber, 1)
    .addOption(new Option("--rows <kind>", "rows whose means decide").choices(["all", "text", "visual"]).default("all"))
    .option("--iterative", "measure again after every one that was dropped")
    .option("--window", "with --drop block: layers in a row, where the last row turns least")
    .option("--question <text>", "asked about every picture of a folder", "Describe the image.")
    .option("--limit <n>", "take the first n prompts", parseNumber)
    .addOption(modelOption())
    .addOption(mmprojOption())
    .option("--out <file.json>", "write the plan there")
    .option("--json", "print one JSON object: plan, what was dropped, and the tables");
  addPlanOptions(command).action((samples: string, options: CalibrateCommandOptions) =>
    runCalibrate(samples, options, context),
  );
}

async function runCalibrate(path: string, options: CalibrateCommandOptions, context: CliContext): Promise<void> {
  const { out, err, signal, colours } = context;
  const { drop, count, rows, iterative, window } = options;
  const plan = await readPlan(options);
  const samples = await readSamples(path, options.question, options.limit);
  const model = await context.engine.loadModel(options.model, given(options, ["mmproj"]));
  try {
    const result = await calibrate(model, samples, {
      drop,
      count,
      rows,
      ...(iterative !== undefined && { iterative }),
      ...(window !== undefined && { window }),
      ...(plan !== undefined && { plan }),
      signal,
      onProgress: ({ done, total }) => {
        if (done % 10 === 0 || done === total) err.write(`${colours.dim(`${done} of ${total} prompts`)}\n`);
      },
    });
    if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(result.plan, null, 2)}\n`);
    out.write(options.json === true ? `${JSON.stringify(result)}\n` : `${calibrationText(result).join("\n")}\n`);
  } finally {
    await model.dispose();
  }
}

function calibrationText({ table, windows, dropped, plan }: Calibration): string[] {
  const distances = windows?.map((distance, first) => `  from layer ${first}: ${distance.toFixed(4)}`) ?? [];
  return [
    ...depthTableText(table),
    ...(windows === undefined
      ? []
      : ["turn of the last row across the window, as a share of a half turn", ...distances]),
    `dropped ${dropped.map(({ part, layer }) => `${part} ${layer}`).join(", ")}`,
    JSON.stringify(plan),
  ];
}
