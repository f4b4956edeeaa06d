// Milliseconds of encode, prefill and decode of models at their published shapes, with random weights, at 100, 50, 25
// and 12.5 % of the visual rows, beside what FLOPs predict of the prefill; what divPrune and pyramidDrop take to choose
// rows, beside the unpruned prefill; and seconds of loading, and what memory it and the answers take at most.
//
//   node bench/phases.mjs [--models SmolVLM-256M,… (all of random-model.mjs)] [--dtypes auto,int8,int4]
//                         [--threads n] [--repetitions 5] [--image 512x512] [--out phases]
//
// --out writes the figures to phases.json and the speed-ups to phases.svg.
// Every model and dtype runs in a process of its own, so that memory is its own; shares of rows take turns within a
// repetition. The folder of a model (0.5 to 14 GB) lies in the system's temporary folder while it is measured.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measurePhases } from "../dist/bench/measure-phases.js";
import { svgChart } from "../dist/eval/svg-chart.js";
import { cpuInfo, loadModel } from "../dist/index.js";
import { trueSizes, writeRandomModel } from "./random-model.mjs";

/** @typedef {{ name: string; plan: import("../dist/index.js").Plan }} NamedPlan */

/** Shares of the rows. @type {NamedPlan[]} */
const shares = [1, 0.5, 0.25, 0.125].map((keep) => ({
  name: `${100 * keep} %`,
  plan: { stages: keep === 1 ? [] : [{ method: "uniform", keep }] },
}));
/** What choosing takes time for. @type {NamedPlan[]} */
const choosing = [
  { name: "divPrune, 50 %", plan: { stages: [{ method: "divPrune", keep: 0.5 }] } },
  { name: "pyramidDrop", plan: { stages: [{ method: "pyramidDrop" }] } },
];

const { values: options } = parseArgs({
  options: {
    models: { type: "string", default: Object.keys(trueSizes).join(",") },
    dtypes: { type: "string", default: "auto,int8,int4" },
    threads: { type: "string", default: String(cpuInfo().cores) },
    repetitions: { type: "string", default: "5" },
    image: { type: "string", default: "512x512" },
    out: { type: "string" },
    folder: { type: "string" }, // of the child process
  },
});

/** @typedef {import("../dist/bench/measure-phases.js").PhasesCell} Cell */

/** The most memory that this process has had, in bytes: since the last call on Linux, elsewhere since it began. */
function takePeak() {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  writeFileSync("/proc/self/clear_refs", "5");
  return 1024 * Number(kilobytes);
}

/**
 * One model as one dtype, in this process.
 *
 * @param {string} folder
 * @param {"auto" | "int8" | "int4"} dtype
 */
async function measure(folder, dtype) {
  const begin = performance.now();
  const model = await loadModel(folder, { dtype, threads: Number(options.threads) });
  const loading = performance.now() - begin;
  const loadingBytes = takePeak();
  const [width = 512, height = width] = options.image.split("x").map(Number);
  const cells = await measurePhases(model, {
    sizes: [[width, height]],
    plans: [...shares, ...choosing],
    prompt: "Describe the image.",
    tokens: 16,
    repetitions: Number(options.repetitions),
    warmUp: 1,
  });
  const { weightBytes, parameters } = model.info;
  const answeringBytes = takePeak();
  await model.dispose();
  return { dtype, loading, loadingBytes, parameters, weightBytes, answeringBytes, cells };
}

/**
 * How many times faster than the first of them a cell's prefill is: by its FLOPs, and as measured.
 *
 * @param {Cell} cell
 * @param {Cell[]} cells
 */
function speedUp(cell, cells) {
  const whole = cells[0] ?? cell;
  return { predicted: whole.flops / cell.flops, measured: whole.prefill.median / cell.prefill.median };
}

/**
 * Measured speed-ups of the prefill over those that FLOPs predict, a line for each model and dtype.
 *
 * @param {(Awaited<ReturnType<typeof measure>> & { model: string })[]} results
 */
function speedUpChart(results) {
  const lines = results.map(({ model, dtype, cells }) => {
    const points = cells
      .filter(({ plan }) => shares.some(({ name }) => name === plan))
      .map((cell) => ({ cell, ...speedUp(cell, cells) }))
      .map(({ cell, predicted, measured }) => ({
        x: predicted,
        y: measured,
        low: (measured * cell.prefill.median) / cell.prefill.high,
        high: (measured * cell.prefill.median) / cell.prefill.low,
        title: `${model} ${dtype}, ${cell.plan} of the rows: ${measured.toFixed(2)} x, FLOPs say ${predicted.toFixed(2)}`,
      }));
    return { name: `${model} ${dtype}`, points };
  });
  const end = Math.max(...lines.flatMap(({ points }) => points.map(({ x }) => x)));
  const ideal = [1, end].map((x) => ({ x, y: x, low: x, high: x, title: "what FLOPs predict" }));
  const all = [{ name: "as FLOPs predict", points: ideal }, ...lines];
  return svgChart(all, "speed-up of the prefill that FLOPs predict", "measured speed-up");
}

if (options.folder !== undefined) {
  process.stdout.write(JSON.stringify(await measure(options.folder, /** @type {any} */ (options.dtypes))));
} else {
  const { brand, tier } = cpuInfo();
  const all = [];
  console.log(
    `${brand}, ${tier}, ${options.threads} threads, image ${options.image}; medians of ${options.repetitions}, milliseconds\n`,
  );
  console.log(
    "| model | dtype | load s | weights MB | loading MB | answering MB | visual rows | encode | prefill | FLOPs predict | choosing | decode a token |\n|---|---|---|---|---|---|---|---|---|---|---|---|",
  );
  for (const name of options.models.split(",")) {
    const folder = mkdtempSync(join(tmpdir(), "fovea-phases-"));
    try {
      writeRandomModel(folder, name);
      for (const dtype of options.dtypes.split(",")) {
        const child = [
          fileURLToPath(import.meta.url),
          "--folder",
          folder,
          "--dtypes",
          dtype,
          "--threads",
          options.threads,
          "--repetitions",
          options.repetitions,
          "--image",
          options.image,
        ];
        const result = /** @type {Awaited<ReturnType<typeof measure>>} */ (
          JSON.parse(execFileSync(process.execPath, child, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }))
        );
        all.push({ model: name, ...result });
        const [whole] = result.cells;
        for (const cell of result.cells) {
          const once = cell === whole;
          const { predicted, measured } = speedUp(cell, result.cells);
          const share = (100 * cell.select.median) / (whole?.prefill.median ?? 1);
          console.log(
            `| ${[
              once ? name : "",
              once ? dtype : "",
              once ? (result.loading / 1000).toFixed(1) : "",
              once ? (result.weightBytes / 1e6).toFixed(0) : "",
              once ? (result.loadingBytes / 1e6).toFixed(0) : "",
              once ? (result.answeringBytes / 1e6).toFixed(0) : "",
              cell.plan,
              cell.encode.median.toFixed(1),
              `${cell.prefill.median.toFixed(1)} (x ${measured.toFixed(2)})`,
              `x ${predicted.toFixed(2)}`,
              `${cell.select.median.toFixed(1)} (${share.toFixed(2)} %)`,
              cell.decode.median.toFixed(2),
            ].join(" | ")} |`,
          );
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  if (options.out !== undefined) {
    const facts = { brand, tier, threads: options.threads, image: options.image };
    writeFileSync(`${options.out}.json`, JSON.stringify({ ...facts, models: all }, null, 1));
    writeFileSync(`${options.out}.svg`, speedUpChart(all));
  }
}
