import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../lib/index.js";
import { bigPhoto } from "./big-photo.js";
import { ask, longAnswer, median, miniModel, picture } from "./fixtures.js";
import { isSanitized } from "./sanitized.js";

const LIMIT = 20; // milliseconds

let model: Model;
let photo: Buffer;
beforeAll(async () => {
  model = await loadModel(miniModel);
  photo = await bigPhoto();
});
afterAll(() => model.dispose());

/** The longest time between two turns of the event loop, as a timer of 1 ms sees it, while `work` runs. */
async function largestGap(work: () => Promise<unknown>): Promise<number> {
  let largest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    largest = Math.max(largest, now - last);
    last = now;
  }, 1);
  try {
    await work();
    largest = Math.max(largest, performance.now() - last);
  } finally {
    clearInterval(timer);
  }
  return largest;
}

/**
 * The median over repetitions of each one's largest gap: other processes that take the core away spoil a few
 * repetitions, while work on the event loop, done in every repetition, shows in all of them.
 */
async function typicalGap(repetitions: number, work: () => Promise<unknown>): Promise<number> {
  await work(); // compiles, loads, fills caches
  const gaps: number[] = [];
  for (let i = 0; i < repetitions; i++) gaps.push(await largestGap(work));
  return median(gaps);
}

const plan = { stages: [{ method: "divPrune", keep: 0.5 }, { method: "pyramidDrop" }] };
const works: Record<string, () => Promise<unknown>> = {
  "an answer about a picture": () => model.generate({ messages: ask("What is this?", 1), ...longAnswer(20) }),
  "an answer about a photo of 12 megapixels": () =>
    model.generate({ messages: ask("What is this?"), images: [photo], plan, maxTokens: 4 }),
  "an answer about a photo in a data URL": () => {
    const image = `data:image/jpeg;base64,${photo.toString("base64")}`;
    return model.generate({ messages: ask("What is this?", image), maxTokens: 4 });
  },
  "several answers at the same time": () =>
    Promise.all([1, 2, 3].map((n) => model.generate({ messages: ask("What?", n), plan, ...longAnswer(20, n) }))),
  "a forward pass with all logits": async () => model.forward(await model.process(ask("What?", 1, 2)), { taps: true }),
  "loading and disposing": async () => {
    const other = await loadModel(miniModel);
    await other.generate({ messages: ask("What?"), images: [picture(1)], maxTokens: 1 });
    await other.dispose();
  },
};

describe("the event loop", () => {
  it("is measured: a block of twice the limit shows", async () => {
    const block = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const end = performance.now() + 2 * LIMIT; performance.now() < end; );
    };
    expect(await typicalGap(3, block)).toBeGreaterThan(LIMIT);
  });

  it.skipIf(isSanitized).each(Object.entries(works))(`turns at least every ${LIMIT} ms during %s`, async (_, work) => {
    expect(await typicalGap(7, work)).toBeLessThan(LIMIT);
  });
});
