// Fovea beside other engines on one model of made-up weights, in turns within one run: a picture of 512 x 512 pixels
// through tower and projector (one tile of SmolVLM), a prompt of as many rows as 17 tiles make, and tokens after it.
//
//   node bench/peers.mjs [--model SmolVLM-256M] [--peers fovea:bf16,pytorch:bfloat16,…] [--threads n] [--repetitions 5]
//                        [--rows 1139] [--tokens 16] [--python python3] [--node-llama-cpp <folder>] [--out peers.json]
//
// --model: any of random-model.mjs; onnxruntime knows SmolVLM only. All peers are in memory at the same time.
//
// Every peer is a process that keeps its model and waits for its turn. PyTorch, and the files that onnxruntime and
// llama.cpp read (peers/export.py), want a Python with torch, transformers, onnx, onnxruntime and gguf; node-llama-cpp
// is not among our dependencies: `npm install node-llama-cpp` in a folder of its own, and name that.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../dist/eval/statistics.js";
import { cpuInfo } from "../dist/index.js";
import { writeRandomModel } from "./random-model.mjs";

const all = [
  ...["fovea:f32", "fovea:bf16", "fovea:int8", "fovea:int4"],
  ...["pytorch:float32", "pytorch:bfloat16", "onnxruntime:f32", "onnxruntime:int8", "llama:BF16", "llama:Q8_0"],
];
const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "SmolVLM-256M" },
    peers: { type: "string", default: all.join(",") },
    threads: { type: "string", default: String(cpuInfo().cores) },
    repetitions: { type: "string", default: "5" },
    rows: { type: "string", default: "1139" },
    tokens: { type: "string", default: "16" },
    python: { type: "string", default: "python3" },
    "node-llama-cpp": { type: "string" },
    out: { type: "string" },
  },
});
/** @param {string} name */
const here = (name) => fileURLToPath(new URL(`peers/${name}`, import.meta.url));
const { threads, rows, tokens, python } = options;

/** @typedef {"encode" | "prefill" | "decode"} Phase */
/** @typedef {Partial<Record<Phase, number>>} Run - milliseconds of the phases that a peer has. */

/**
 * The command of a peer.
 *
 * @param {string} peer
 * @param {string} folder - of the model; <folder>/exported is what export.py wrote.
 * @returns {[string, string[]]}
 */
function command(peer, folder) {
  const [engine = "", dtype = ""] = peer.split(":");
  const exported = join(folder, "exported");
  const work = [threads, rows, tokens];
  if (engine === "fovea") return [process.execPath, [here("fovea.mjs"), folder, dtype, ...work]];
  if (engine === "pytorch") return [python, [here("pytorch.py"), folder, dtype, ...work]];
  if (engine === "onnxruntime") return [process.execPath, [here("onnxruntime.mjs"), join(exported, dtype), ...work]];
  if (engine !== "llama") throw new Error(`no such peer: ${peer}; there are ${all.join(", ")}`);
  const home = options["node-llama-cpp"];
  if (home === undefined) throw new Error("llama wants --node-llama-cpp, a folder in which it is installed");
  const script = join(home, "fovea-peer.mjs"); // where its import finds the package
  copyFileSync(here("node-llama-cpp.mjs"), script);
  return [process.execPath, [script, join(exported, `${dtype}.gguf`), ...work]];
}

/**
 * @param {string} peer
 * @param {string} folder
 */
async function start(peer, folder) {
  const [file, args] = command(peer, folder);
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** @returns {Promise<any>} */
  const answer = async () => {
    const { value, done } = await answers.next();
    if (done) throw new Error(`${peer} has ended`);
    return value.startsWith("{") ? JSON.parse(value) : answer(); // others print what they like
  };
  const { ready } = await answer();
  /** @returns {Promise<Run>} */
  const ask = async () => {
    child.stdin.write("\n");
    return await answer();
  };
  /** @type {Run[]} */
  const runs = [];
  return { peer, ready, child, ask, runs };
}

/** @type {Phase[]} */
const phases = ["encode", "prefill", "decode"];
const folder = mkdtempSync(join(tmpdir(), "fovea-peers-"));
/** @type {Awaited<ReturnType<typeof start>>[]} */
const peers = [];
try {
  writeRandomModel(folder, options.model);
  const processor = join(folder, "preprocessor_config.json");
  writeFileSync(
    processor,
    JSON.stringify({ ...JSON.parse(readFileSync(processor, "utf8")), do_image_splitting: false }),
  );
  const names = options.peers.split(",");
  const exported = names.filter((name) => /^(onnxruntime|llama):/.test(name));
  if (exported.length > 0) {
    mkdirSync(join(folder, "exported"));
    execFileSync(python, [here("export.py"), folder, join(folder, "exported"), ...exported], { stdio: "inherit" });
  }
  for (const name of names) peers.push(await start(name, folder));
  for (let turn = -1; turn < Number(options.repetitions); ++turn)
    for (const { ask, runs } of peers) {
      const run = await ask();
      if (turn >= 0) runs.push(run); // the first one warms up
    }
} finally {
  for (const { child } of peers) child.stdin.end();
  rmSync(folder, { recursive: true });
}

const { brand, tier } = cpuInfo();
const results = peers.map(({ peer, ready, runs }) => ({
  peer,
  ready,
  ...Object.fromEntries(
    phases.map((phase) => {
      const times = runs.map((run) => run[phase]).filter((time) => time !== undefined);
      return [
        phase,
        times.length === 0 ? undefined : { median: median(times), low: Math.min(...times), high: Math.max(...times) },
      ];
    }),
  ),
}));
console.log(
  `${options.model}, ${brand}, ${tier}, ${threads} threads, ${rows} rows; medians of ${options.repetitions} in turns, and the least, milliseconds\n`,
);
console.log("| peer | encode | prefill | decode a token |\n|---|---|---|---|");
for (const result of results) {
  const cells = phases.map((phase) => {
    const spread = /** @type {any} */ (result)[phase];
    return spread === undefined ? "" : `${spread.median.toFixed(1)} (${spread.low.toFixed(1)})`;
  });
  console.log(`| ${result.peer} | ${cells.join(" | ")} |`);
}
if (options.out !== undefined)
  writeFileSync(options.out, `${JSON.stringify({ brand, tier, ...options, results }, null, 1)}\n`);
