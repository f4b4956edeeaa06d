import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../lib/index.js";
import { bigPhoto } from "./big-photo.js";
import { ask, longAnswer, median, miniModel, picture } from "./fixtures.js";
import { largestGap } from "./largest-gap.js";
import { isSanitized } from "./sanitized.js";

const LIMIT = 20; // milliseconds

let model: Model;
let photo: Buffer;
let photoUrl: string;
beforeAll(async () => {
  model = await loadModel(miniModel);
  photo = await bigPhoto();
  photoUrl = `data:image/jpeg;base64,${photo.toString("base64")}`;
});
afterAll(() => model.dispose());

/**
 * The median over repetitions of each one's largest gap: a garbage collection now and then spoils some repetitions,
 * while work on the event loop, done in every repetition, shows in all of them.
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
  "an answer about a photo in a data URL": () =>
    model.generate({ messages: ask("What is this?", photoUrl), maxTokens: 4 }),
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
  const blocks: Record<string, () => void> = {
    "a lock": () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * LIMIT),
    "compute on the loop": () => {
      const { user, system } = process.cpuUsage();
      for (let used = 0; used < 2000 * LIMIT; ) {
        const now = process.cpuUsage();
        used = now.user + now.system - user - system;
      }
    },
  };
  it.each(Object.entries(blocks))("is measured: %s of twice the limit shows", async (_, block) => {
    const work = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      block();
    };
    expect(await typicalGap(3, work)).toBeGreaterThan(LIMIT);
  });

  it.skipIf(isSanitized).each(Object.entries(works))(`turns at least every ${LIMIT} ms during %s`, async (_, work) => {
    expect(await typicalGap(7, work)).toBeLessThan(LIMIT);
  });
});
