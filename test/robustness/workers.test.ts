import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../lib/index.js";
import { ask, longAnswer, miniModel } from "../engine/fixtures.js";
import { childModule } from "../engine/run-child.js";

const requests = [
  { messages: ask("What objects are in the image?", 1) },
  { messages: ask("What is this?"), ...longAnswer(40, 5) },
];

function start(endless = false): Worker {
  return new Worker(pathToFileURL(childModule("worker.mjs")), { workerData: { requests, endless } });
}

/** What the worker's requests answer here. */
async function wanted() {
  await using model = await loadModel(miniModel, { threads: 1 });
  const replies = [];
  for (const request of requests) {
    const { text, tokens } = await model.generate(request);
    replies.push({ text, ids: tokens.map((token) => token.id) });
  }
  return replies;
}

describe("worker threads", () => {
  it("two at once, beside the main thread, answer as the main thread does", async () => {
    const workers = [start(), start()];
    const messages = workers.map((worker) => once(worker, "message"));
    const exits = workers.map((worker) => once(worker, "exit"));
    const expected = await wanted();
    for (const [replies] of await Promise.all(messages)) expect(replies).toEqual(expected);
    for (const [code] of await Promise.all(exits)) expect(code).toBe(0);
  });

  it("may be terminated in the middle of an answer, again and again; others go on", async () => {
    await using model = await loadModel(miniModel, { threads: 1 });
    const before = await model.generate(requests[0] as (typeof requests)[0]);
    for (let i = 0; i < 4; i++) {
      const worker = start(true);
      await new Promise<void>((resolve, reject) => {
        worker.on("message", (message) => message === "running" && resolve());
        worker.on("error", reject);
      });
      const answer = model.generate(requests[0] as (typeof requests)[0]);
      expect(await worker.terminate()).toBe(1);
      expect((await answer).text).toBe(before.text);
    }
  });
});
