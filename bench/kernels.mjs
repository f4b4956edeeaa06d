// Builds and runs bench/kernels.cc: node bench/kernels.mjs [tier] [threads] [repetitions] [--python python3] [--rounds 5]
//
// With --python, which wants torch, also the same products by PyTorch, in turns, and the ratio of both.
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { median } from "../dist/eval/statistics.js";
import { cpuInfo } from "../dist/index.js";
import { run } from "../scripts/tools.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: "string" }, rounds: { type: "string", default: "5" } },
});
const [tier = "auto", threads = String(cpuInfo().cores), repetitions = "9"] = positionals;
run(process.execPath, ["scripts/build-cmake.mjs", "build-cmake", "-DFOVEA_BENCH=ON"]);
run("build-cmake/fovea_bench", [tier, threads, repetitions]);
if (options.python !== undefined) compare(options.python, Number(options.rounds));

/**
 * @param {string} python
 * @param {number} rounds
 */
function compare(python, rounds) {
  /** @type {Map<string, { ours: number[]; theirs: number[] }>} */
  const rates = new Map();
  for (let round = 0; round < rounds; round++) {
    const table = execFileSync("build-cmake/fovea_bench", [tier, threads, "3"], { encoding: "utf8" });
    const rows = [...table.matchAll(/(\d+) x (\d+) x (\d+) \| (f32|bf16) \| (\d+)/g)];
    const input = rows.map(([, m, n, k, dtype]) => `${m} ${n} ${k} ${dtype}\n`).join("");
    const script = ["bench/peers/linear.py", threads, "3"];
    const theirs = execFileSync(python, script, { encoding: "utf8", input }).trim().split("\n").map(Number);
    for (const [i, [, m, n, k, dtype, ours]] of rows.entries()) {
      const name = `${m} x ${n} x ${k} | ${dtype}`;
      const of = rates.get(name) ?? { ours: [], theirs: [] };
      of.ours.push(Number(ours));
      of.theirs.push(theirs[i] ?? Number.NaN);
      rates.set(name, of);
    }
  }
  console.log("\n| m x n x k | dtype | GFLOP/s | PyTorch | ratio |\n|---|---|---|---|---|");
  /** @type {Record<string, number[]>} */
  const ratios = {};
  for (const [name, { ours, theirs }] of rates) {
    const ratio = median(ours) / median(theirs);
    const dtype = name.split(" | ")[1] ?? "";
    ratios[dtype] = [...(ratios[dtype] ?? []), ratio];
    console.log(`| ${name} | ${median(ours).toFixed(0)} | ${median(theirs).toFixed(0)} | ${ratio.toFixed(2)} |`);
  }
  for (const [dtype, all] of Object.entries(ratios))
    console.log(
      `\n${dtype}: ${Math.exp(all.reduce((sum, x) => sum + Math.log(x), 0) / all.length).toFixed(2)} of PyTorch's rate`,
    );
}
