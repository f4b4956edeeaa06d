// onnxruntime-node as a peer of bench/peers.mjs: answers every line of its input with the milliseconds of one repetition.
//
//   node bench/peers/onnxruntime.mjs <folder with tower.onnx and decoder.onnx> <threads> <rows> <tokens>
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [folder = "", threads, rows, tokens] = process.argv.slice(2);
const { d_model, n_layers, n_kv_heads, d_head, side } = JSON.parse(readFileSync(join(folder, "shapes.json"), "utf8"));
/** @param {string} name */
const open = (name) =>
  InferenceSession.create(join(folder, name), { intraOpNumThreads: Number(threads), graphOptimizationLevel: "all" });
const tower = await open("tower.onnx");
const decoder = await open("decoder.onnx");

/** @param {number[]} shape */
const random = (shape) =>
  new Tensor("float32", Float32Array.from({ length: shape.reduce((a, b) => a * b) }, Math.random), shape);
const pixels = random([1, 3, side, side]);
const prompt = random([1, Number(rows), d_model]);
const row = random([1, 1, d_model]);

/**
 * @param {Tensor} x - (1, n, d_model)
 * @param {Record<string, Tensor> | undefined} before - what the decoder put out last.
 */
async function forward(x, before) {
  const past = Object.fromEntries(
    ["key", "value"].flatMap((kind) =>
      Array.from({ length: n_layers }, (_, i) => [
        `past_${kind}_${i}`,
        before?.[`present_${kind}_${i}`] ?? new Tensor("float32", new Float32Array(0), [1, n_kv_heads, 0, d_head]),
      ]),
    ),
  );
  const total = (x.dims[1] ?? 0) + (before?.present_key_0?.dims[2] ?? 0);
  return await decoder.run({
    x,
    ...past,
    last_row: new Tensor("int32", Int32Array.of(total - 1), [1]),
    total: new Tensor("int32", Int32Array.of(total), [1]),
  });
}

process.stdout.write(`${JSON.stringify({ ready: "onnxruntime-node" })}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  const times = [performance.now()];
  await tower.run({ pixels });
  times.push(performance.now());
  let state = await forward(prompt, undefined);
  times.push(performance.now());
  for (let i = 0; i < Number(tokens); ++i) state = await forward(row, state);
  times.push(performance.now());
  const [begin = 0, encoded = 0, filled = 0, end = 0] = times;
  const decode = (end - filled) / Number(tokens);
  process.stdout.write(`${JSON.stringify({ encode: encoded - begin, prefill: filled - encoded, decode })}\n`);
}
