// Ends the process in the way of its first argument, while the model is idle or at work.
import { Worker } from "node:worker_threads";
import { loadModel } from "../../dist/index.js";

/** @type {import("../../dist/index.js").GenerateOptions} */
const request = { messages: [{ role: "user", content: "What?" }], temperature: 100, seed: 1 };
const way = process.argv[2];

/**
 * Resolves in the middle of a long answer.
 * @param {import("../../dist/index.js").Model} model
 */
async function inTheMiddle(model, maxTokens = 2000) {
  const stream = model.stream({ ...request, maxTokens });
  await stream.next();
  stream.next().catch(() => {});
}

if (way === "before-load-ends") {
  loadModel("fovea-mini").catch(() => {});
  setTimeout(() => process.exit(3), 10);
} else if (way === "workers-loading") {
  const url = new URL("worker.mjs", import.meta.url);
  for (let ms = 10; ms < 200; ms += 8) {
    const worker = new Worker(url, { workerData: { requests: [], endless: false } });
    await new Promise((resolve) => setTimeout(resolve, ms));
    await worker.terminate();
  }
  console.log("survived");
} else if (way === "in-worker") {
  const url = new URL("worker.mjs", import.meta.url);
  const worker = new Worker(url, { workerData: { requests: [], endless: true } });
  worker.on("message", (message) => {
    if (message === "running") process.exit(3);
  });
} else {
  const model = await loadModel("fovea-mini");
  if (way === "idle") {
    const { tokens } = await model.generate({ ...request, maxTokens: 3 });
    console.log(`answered ${tokens.length}`); // and that is all: no dispose()
  } else if (way === "unread") {
    await inTheMiddle(model, 300); // nobody reads on, but the request has to end
  } else if (way === "process-exit") {
    await inTheMiddle(model);
    process.exit(3);
  } else if (way === "uncaught") {
    await inTheMiddle(model);
    setImmediate(() => {
      throw new Error("uncaught on purpose");
    });
  } else if (way === "while-disposing") {
    await inTheMiddle(model);
    model.dispose();
    process.exit(3);
  } else if (way === "in-prefill") {
    const inputs = { input_ids: { data: new Int32Array(2000).fill(20), shape: [1, 2000] } };
    model.forward(inputs).catch(() => {});
    setTimeout(() => process.exit(3), 30);
  } else {
    throw new Error(`no such way: ${way}`);
  }
}
