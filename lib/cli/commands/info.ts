import type { Command } from "commander";
import type { ModelInfo } from "../../index.js";
import type { CliContext } from "../context.js";
import { given } from "../given.js";
import { type ModelOptions, mmprojOption, modelOption } from "../model-option.js";

interface InfoOptions extends ModelOptions {
  json?: boolean;
}

/** Adds `fovea info`: what this machine offers and what a model is. */
export function addInfoCommand(program: Command, context: CliContext): void {
  program
    .command("info")
    .summary("show the machine, the kernels chosen for it, and a model")
    .description("Shows the CPU's features, the kernels chosen for it, versions, and facts of a model.")
    .addOption(modelOption())
    .addOption(mmprojOption())
    .option("--json", "print one JSON object")
    .action((options: InfoOptions) => info(options, context));
}

async function info(options: InfoOptions, { engine, out, version }: CliContext): Promise<void> {
  const versions = { fovea: version, node: process.versions.node, nodeApi: process.versions.napi };
  const cpu = engine.cpuInfo();
  const machine: Rows = [
    ["fovea", `${version} on Node ${versions.node}, Node-API ${versions.nodeApi}`],
    ["cpu", `${cpu.brand}, ${cpu.cores} ${cpu.cores === 1 ? "core" : "cores"}`],
    ["features", cpu.features.join(" ")],
    ["tier", `${cpu.tier} of ${cpu.tiers.join(", ")}`],
  ];
  // Before the model is loaded, so that one that cannot be loaded does not hide the machine.
  if (options.json !== true) out.write(table(machine));
  const model = await engine.loadModel(options.model, given(options, ["mmproj"]));
  try {
    out.write(
      options.json === true
        ? `${JSON.stringify({ versions, cpu, model: model.info })}\n`
        : table(modelRows(model.info)),
    );
  } finally {
    await model.dispose();
  }
}

type Rows = [label: string, text: string][];

function modelRows(model: ModelInfo): Rows {
  const { tower } = model;
  const parameters = (model.parameters / 1e6).toFixed(1);
  const megabytes = (model.weightBytes / 2 ** 20).toFixed(1);
  return [
    ["model", model.path],
    ...(model.mmproj === undefined ? [] : [["mmproj", model.mmproj] as [string, string]]),
    ["family", `${model.family}, ${parameters} M parameters, ${model.dtype}, ${megabytes} MiB of weights`],
    [
      "tower",
      `${tower.nLayers} layers, width ${tower.dModel}, ${tower.nHeads} heads, ` +
        `${tower.imageSize} px in patches of ${tower.patchSize}: ${model.imageRows} rows per image`,
    ],
    [
      "decoder",
      `${model.nLayers} layers${convolving(model)}, width ${model.dModel}, ${model.nHeads} heads and ${model.nKvHeads} KV heads of ` +
        `${model.dHead}, FFN ${model.dFf}`,
    ],
    ["text", `vocabulary ${model.vocabSize}, context of ${model.contextLength} rows`],
    ["runs on", `${model.tier}, ${model.threads} ${model.threads === 1 ? "thread" : "threads"}`],
  ];
}

/** How many layers do not attend, where there are any. */
function convolving({ convLayers }: ModelInfo): string {
  return convLayers === undefined ? "" : ` (${convLayers.length} convolve)`;
}

function table(rows: Rows): string {
  return rows.map(([label, text]) => `${label.padEnd(10)}${text}\n`).join("");
}
