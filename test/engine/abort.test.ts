import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../lib/index.js";
import { bigPhoto } from "./big-photo.js";
import { ask, content, longAnswer, median, miniModel, rejection } from "./fixtures.js";
import { isSanitized } from "./sanitized.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const tiny = { messages: ask("Is there a cat?"), maxTokens: 1 };

const long = { messages: ask("What is this?"), ...longAnswer(1900) };

/** Generations that the engine decodes together (kMaxActive); one more waits until another ends. */
const MOST_TOGETHER = 16;
/** Milliseconds: far more than a step of decoding takes, far less than a whole long answer. */
const LONG_WAIT = isSanitized ? 2000 : 400;

/** Milliseconds that a new request waits for the engine thread. */
async function wait(): Promise<number> {
  return (await model.generate(tiny)).timings.queue;
}

/** Aborts what `start` does after `ms` milliseconds; the reason it rejected with, and how long that took. */
async function abortAfter(ms: number, start: (signal: AbortSignal) => Promise<unknown>) {
  const controller = new AbortController();
  const reason = new Error("enough");
  const ended = rejection(start(controller.signal));
  await sleep(ms);
  const at = performance.now();
  controller.abort(reason);
  expect(await ended).toBe(reason);
  return performance.now() - at;
}

describe("an AbortSignal", () => {
  it("aborted before the call: nothing starts, whatever the call", async () => {
    const signal = AbortSignal.abort("no");
    const inputs = await model.process(tiny.messages);
    expect(await rejection(model.generate({ ...tiny, signal }))).toBe("no");
    expect(await rejection(model.stream({ ...tiny, signal }).next())).toBe("no");
    expect(await rejection(model.forward(inputs, { signal }))).toBe("no");
    expect(await rejection(model.process(tiny.messages, { signal }))).toBe("no");
  });

  it("that never fires changes nothing", async () => {
    const { signal } = new AbortController();
    expect(content(await model.generate({ ...tiny, signal }))).toEqual(content(await model.generate(tiny)));
  });

  it("stops many requests at once, and Node does not warn of them", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const controller = new AbortController();
    const all = Array.from({ length: 12 }, () => rejection(model.generate({ ...long, signal: controller.signal })));
    await sleep(20);
    controller.abort("enough");
    expect(await Promise.all(all)).toEqual(Array(12).fill("enough"));
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });

  it("that times out rejects with the timeout's own error", async () => {
    const options = { messages: ask("What is this?"), ...longAnswer(1500), signal: AbortSignal.timeout(30) };
    expect(await rejection(model.generate(options))).toMatchObject({ name: "TimeoutError" });
  });

  it("during preprocessing: rejects before the next image is touched", async () => {
    const photo = await bigPhoto();
    const images = Array(12).fill(photo);
    const start = performance.now();
    await model.process(ask("What?"), { images: images.slice(0, 3) });
    const perImage = (performance.now() - start) / 3;
    const late = await abortAfter(5, (signal) => model.generate({ messages: ask("What?"), images, signal }));
    expect(late).toBeLessThan(6 * perImage);
  });

  // Other work on the machine may end while this measures, and what was to be aborted is done before.
  it("while the image is encoded or the prompt read: the engine is free within a layer or two", {
    retry: 2,
  }, async () => {
    const messages = ask("What is this?", 0, 1, 2, 3, 4, 5);
    const options = { messages, maxTokens: 1, cache: false };
    // The fastest of some: what is aborted after a share of it must not have ended by then.
    const fastest = { preprocess: Infinity, encode: Infinity, prefill: Infinity };
    for (let i = 0; i < 4; i++) {
      const { timings } = await model.generate(options);
      for (const phase of ["preprocess", "encode", "prefill"] as const) {
        fastest[phase] = Math.min(fastest[phase], timings[phase]);
      }
    }
    const { preprocess, encode, prefill } = fastest;
    const inputs = await model.process(messages);
    for (const share of [0.05, 0.2, 0.4, 0.6]) {
      const late: number[] = [];
      const waits: number[] = [];
      for (let i = 0; i < 3; i++) {
        const after = share * (encode + prefill);
        late.push(await abortAfter(preprocess + after, (signal) => model.generate({ ...options, signal })));
        waits.push(await wait());
        late.push(await abortAfter(after, (signal) => model.forward(inputs, { signal, logitsToKeep: 1 })));
        waits.push(await wait());
      }
      expect(median(late)).toBeLessThan(50);
      expect(median(waits), `aborted at ${share} of ${encode + prefill} ms`).toBeLessThan((encode + prefill) / 4);
    }
  });

  it("while tokens are made: the reader gets no more, and the engine is free at once", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let deltas = 0;
    const late: number[] = [];
    const readers = Array.from({ length: MOST_TOGETHER }, async (_, reader) => {
      for await (const _event of model.stream({ ...long, signal })) {
        if (signal.aborted) late.push(reader);
        if (reader === 0 && ++deltas === 5) controller.abort("five");
      }
    });
    for (const reason of await Promise.all(readers.map(rejection))) expect(reason).toBe("five");
    expect(deltas).toBe(5);
    expect(new Set(late).size, "at most the one event that was under way to each reader").toBe(late.length);
    expect(await wait()).toBeLessThan(LONG_WAIT);
  });

  it("of a request that still waits in the queue ends only that one", async () => {
    const first = model.generate({ messages: ask("What?", 1, 2, 3), ...longAnswer(5) });
    const late = await abortAfter(1, (signal) =>
      model.generate({ messages: ask("What?"), ...longAnswer(1500), signal }),
    );
    expect(late).toBeLessThan(50);
    expect((await first).tokens).toHaveLength(5);
  });
});

describe("leaving the loop", () => {
  it("cancels the generation: as many as decode together leave room for the next request", async () => {
    const readers = Array.from({ length: MOST_TOGETHER }, async () => {
      for await (const _event of model.stream(long)) break;
    });
    await Promise.all(readers);
    expect(await wait()).toBeLessThan(LONG_WAIT);
  });

  it("in vain would be noticed: a request waits while others use all the room", async () => {
    const controller = new AbortController();
    const others = Array.from({ length: MOST_TOGETHER }, () =>
      rejection(model.generate({ ...long, signal: controller.signal })),
    );
    const waited = wait();
    await sleep(1.5 * LONG_WAIT);
    controller.abort();
    await Promise.all(others);
    expect(await waited).toBeGreaterThan(LONG_WAIT);
  });

  it("by an exception cancels too", async () => {
    const thrown = new Error("mine");
    const reason = await rejection(
      (async () => {
        for await (const _ of model.stream({ messages: ask("What is this?"), ...longAnswer(1500) })) throw thrown;
      })(),
    );
    expect(reason).toBe(thrown);
    expect(content(await model.generate(tiny))).toEqual(content(await model.generate(tiny)));
  });

  it("before the first event costs nothing", async () => {
    const stream = model.stream({ messages: ask("What is this?"), ...longAnswer(1500) });
    await stream.return();
    expect((await stream.next()).done).toBe(true);
  });
});
