// Worker thread: loads the embedded model, answers `workerData.requests`, posts texts and token ids; then, with
// `workerData.endless`, posts "running" in the middle of an answer that the main thread will end by terminating it.
import { parentPort, workerData } from "node:worker_threads";
import { loadModel } from "../../dist/index.js";

const model = await loadModel("fovea-mini", { threads: 1 });
const replies = [];
for (const request of workerData.requests) {
  const { text, tokens } = await model.generate(request);
  replies.push({ text, ids: tokens.map((token) => token.id) });
}
parentPort?.postMessage(replies);
if (workerData.endless) {
  /** @type {import("../../dist/index.js").GenerateOptions} */
  const endless = { messages: [{ role: "user", content: "What?" }], temperature: 100, seed: 1, maxTokens: 2000 };
  for await (const event of model.stream(endless)) {
    if (event.type === "text-delta") parentPort?.postMessage("running");
  }
}
await model.dispose();
