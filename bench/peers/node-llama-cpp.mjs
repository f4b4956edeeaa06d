// node-llama-cpp, which takes no images, as a peer of bench/peers.mjs: answers every line of its input with the
// milliseconds of one repetition.
//
//   node bench/peers/node-llama-cpp.mjs <file.gguf> <threads> <rows> <tokens>
import { createInterface } from "node:readline";
// @ts-expect-error not among our dependencies: see bench/peers.mjs
import { getLlama } from "node-llama-cpp";

const [modelPath = "", threads, rows, tokens] = process.argv.slice(2);
const llama = await getLlama({
  gpu: false,
  build: "never",
  maxThreads: Number(threads),
  logLevel: /** @type {any} */ ("error"),
});
const model = await llama.loadModel({ modelPath });
const contextSize = Number(rows) + Number(tokens) + 8;
const context = await model.createContext({
  contextSize,
  batchSize: Number(rows),
  threads: Number(threads),
  flashAttention: true,
});
const sequence = context.getSequence();
const prompt = Array.from({ length: Number(rows) }, (_, i) => /** @type {any} */ (100 + (i % 1000)));

process.stdout.write(`${JSON.stringify({ ready: `node-llama-cpp, llama.cpp ${llama.llamaCppRelease.release}` })}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  await sequence.clearHistory();
  const begin = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(prompt);
  const filled = performance.now();
  for (let i = 0; i < Number(tokens); ++i) await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(i, i + 1));
  const decode = (performance.now() - filled) / Number(tokens);
  process.stdout.write(`${JSON.stringify({ prefill: filled - begin, decode })}\n`);
}
await llama.dispose();
