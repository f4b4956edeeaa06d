// Milliseconds of encode, prefill and decode of models at their published shapes, with random weights, at 100, 50, 25
// and 12.5 % of the visual rows, beside what FLOPs predict of the prefill; and seconds and memory of loading.
//
//   node bench/phases.mjs [--models SmolVLM-256M,Qwen2-VL-2B,LLaVA-1.5-7B] [--dtypes auto,int8,int4] [--threads n]
//                         [--repetitions 5] [--image 512x512] [--out phases.json]
//
// Every model and dtype runs in a process of its own, so that memory is its own; shares of rows take turns within a
// repetition. The folder of a model (0.5 to 14 GB) lies in the system's temporary folder while it is measured.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measurePhases } from "../dist/bench/measure-phases.js";
import { cpuInfo, loadModel } from "../dist/index.js";
import { trueSizes, writeRandomModel } from "./random-model.mjs";

const shares = [1, 0.5, 0.25, 0.125];

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
  const [width = 512, height = width] = options.image.split("x").map(Number);
  const cells = await measurePhases(model, {
    sizes: [[width, height]],
    plans: shares.map((keep) => ({
      name: `${100 * keep} %`,
      plan: { stages: keep === 1 ? [] : [{ method: "uniform", keep }] },
    })),
    prompt: "Describe the image.",
    tokens: 16,
    repetitions: Number(options.repetitions),
    warmUp: 1,
  });
  const { weightBytes, parameters } = model.info;
  await model.dispose();
  return { dtype, loading, parameters, weightBytes, peakBytes: process.resourceUsage().maxRSS * 1024, cells };
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
    "| model | dtype | load s | weights MB | peak MB | visual rows | encode | prefill | FLOPs predict | decode a token |\n|---|---|---|---|---|---|---|---|---|---|",
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
          const predicted = (whole?.flops ?? 0) / cell.flops;
          console.log(
            `| ${[
              once ? name : "",
              once ? dtype : "",
              once ? (result.loading / 1000).toFixed(1) : "",
              once ? (result.weightBytes / 1e6).toFixed(0) : "",
              once ? (result.peakBytes / 1e6).toFixed(0) : "",
              cell.plan,
              cell.encode.median.toFixed(1),
              `${cell.prefill.median.toFixed(1)} (x ${((whole?.prefill.median ?? 0) / cell.prefill.median).toFixed(2)})`,
              `x ${predicted.toFixed(2)}`,
              cell.decode.median.toFixed(2),
            ].join(" | ")} |`,
          );
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  if (options.out !== undefined)
    writeFileSync(
      options.out,
      JSON.stringify({ brand, tier, threads: options.threads, image: options.image, models: all }, null, 1),
    );
}
