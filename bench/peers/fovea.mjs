// Fovea as a peer of bench/peers.mjs: answers every line of its input with the milliseconds of one repetition.
//
//   node bench/peers/fovea.mjs <folder> <dtype> <threads> <rows> <tokens>
import { createInterface } from "node:readline";
import { cpuInfo, loadModel } from "../../dist/index.js";

const [folder = "", dtype, threads, rows, tokens] = process.argv.slice(2);
const model = await loadModel(folder, {
  dtype: /** @type {any} */ (dtype),
  threads: Number(threads),
  imageCacheBytes: 0,
  kvCacheBytes: 0,
});
const side = 512;
const data = new Uint8Array(3 * side * side).map((_, i) => (Math.imul(i, 2654435761) >>> 24) ^ (i >> 6));

/** @param {number} words - that pad the question, a row and a blank's each. */
async function ask(words) {
  const content = `Describe the image.${" a".repeat(words)}`;
  const images = [{ width: side, height: side, data }];
  return await model.generate({ messages: [{ role: "user", content }], images, maxTokens: Number(tokens) + 1 });
}

const { promptRows } = (await ask(0)).usage;
const perWord = (await ask(1)).usage.promptRows - promptRows;
const words = Math.max(0, Math.round((Number(rows) - promptRows) / perWord));
process.stdout.write(`${JSON.stringify({ ready: `Fovea, ${cpuInfo().tier}` })}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  const { timings, usage } = await ask(words);
  const { encode, prefill } = timings;
  const decode = timings.decode / (usage.generatedTokens - 1);
  process.stdout.write(`${JSON.stringify({ encode, prefill, decode, rows: usage.promptRows })}\n`);
}
await model.dispose();
