import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Draft, type GenerateOptions, loadModel, type Model, type Plan } from "../../lib/index.js";
import { ask, longAnswer, miniModel, refusal, rejection } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

const questions = readFileSync(new URL("../../model/eval/questions.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as { image: string; kind: string; question: string })
  .filter(({ kind }, i) => kind === "list" || i % 40 === 0)
  .filter((_, i) => i % 16 === 0);

const draft: Draft = {
  skipLayers: [
    { part: "block", layers: [3, 5] },
    { part: "ffn", layers: [6] },
  ],
  stopProbability: 0.3,
};
const searching: Draft = { search: { context: 4, seed: 2 }, max: 4, stopProbability: 0.2, adapt: false };
const plans: Record<string, Plan> = {
  "no other plan": {},
  "rows dropped": { stages: [{ method: "divPrune", keep: 0.5 }, { method: "pyramidDrop" }] },
  "rows dropped, original positions": { positions: "original", stages: [{ method: "pyramidDrop" }] },
  "layers skipped": {
    skipLayers: [
      { part: "attention", layers: [4] },
      { part: "ffn", layers: [5], phase: "decode" },
    ],
  },
};

/** What a draft must not change. */
async function said(options: GenerateOptions) {
  const { text, tokens, finishReason, usage } = await model.generate(options);
  const { draft, cachedImages: _, cachedRows: __, ...rest } = usage; // a second request finds what the first one left
  return { reply: { text, tokens, finishReason, usage: rest }, draft };
}

describe(`drafts change no token of ${questions.length} answers`, () => {
  it.each(Object.entries(plans))("%s", { timeout: 600_000 }, async (_, plan) => {
    let [drafted, accepted] = [0, 0];
    for (const { image, question } of questions) {
      const options = { messages: ask(question, Number(image.match(/\d+/)?.[0])), maxTokens: 16, logprobs: 1 };
      const whole = await said({ ...options, plan });
      expect(whole.draft).toBeUndefined();
      for (const way of [draft, searching]) {
        const guessed = await said({ ...options, plan: { ...plan, draft: way } });
        expect(guessed.reply).toEqual(whole.reply);
        drafted += guessed.draft?.drafted ?? 0;
        accepted += guessed.draft?.accepted ?? 0;
      }
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(drafted);
  });
});

describe("drafts", () => {
  const sampled: GenerateOptions = { messages: ask("What is this?", 1), ...longAnswer(60, 4) };

  it.each([
    ["drawn at a high temperature", sampled],
    ["drawn at a lower temperature", { ...sampled, temperature: 2.5 }],
    ["with top-k, top-p and min-p", { ...sampled, temperature: 2.5, topK: 30, topP: 0.9, minP: 0.01 }],
    ["with a repetition penalty", { ...sampled, repetitionPenalty: 1.4 }],
    ["greedy with a repetition penalty", { ...sampled, temperature: 0, repetitionPenalty: 1.4 }],
    ["ended by a stop string", { ...sampled, stop: ["a", "e"] }],
  ])("leave answers alone: %s", async (_, options) => {
    const whole = await said(options);
    for (const way of [draft, searching]) {
      expect((await said({ ...options, plan: { draft: way } })).reply).toEqual(whole.reply);
    }
  });

  it("report what they did; every verify step says one token more", async () => {
    const { usage } = await model.generate({ ...sampled, plan: { draft } });
    const { verifySteps = 0, drafted = 0, accepted = 0, acceptance, skipped, search } = usage.draft ?? {};
    expect(accepted + verifySteps).toBe(59); // prefill says the first
    expect(acceptance).toBe(accepted / drafted);
    expect(search).toBeUndefined();
    expect(skipped).toEqual([
      { layer: 3, part: "attention" },
      { layer: 3, part: "ffn" },
      { layer: 5, part: "attention" },
      { layer: 5, part: "ffn" },
      { layer: 6, part: "ffn" },
    ]);
  });

  it("without a set of sub-layers search for one, and leave the first and the last layer alone", async () => {
    const plan = { draft: { search: { context: 8, proposals: 30, stopScore: 1 }, stopProbability: 0 } };
    const { usage } = await model.generate({ ...sampled, ...longAnswer(100), plan });
    expect(usage.draft?.search).toMatchObject({ proposals: expect.any(Number), score: expect.any(Number) });
    expect(usage.draft?.search?.proposals).toBeGreaterThan(5);
    expect(usage.draft?.skipped.every(({ layer }) => layer > 0 && layer < 7)).toBe(true);
    const whole = await said(sampled);
    const searched = await said({ ...sampled, plan: { draft: {} } });
    expect(searched.reply).toEqual(whole.reply);
    expect(searched.draft?.search?.proposals).toBeGreaterThan(0);
  });

  it("leave requests beside them alone, and stop when aborted", async () => {
    const alone = [await said(sampled), await said({ ...sampled, seed: 5 })];
    const abort = new AbortController();
    const [a, b, aborted] = await Promise.all([
      said({ ...sampled, plan: { draft } }),
      said({ ...sampled, seed: 5 }),
      rejection(
        (async () => {
          const options = { ...sampled, ...longAnswer(1000), plan: { draft }, signal: abort.signal };
          for await (const _ of model.stream(options)) abort.abort("enough");
        })(),
      ),
    ]);
    expect([a.reply, b.reply]).toEqual(alone.map(({ reply }) => reply));
    expect(aborted).toBe("enough");
  });
});

describe("early exits", () => {
  const question = { messages: ask("What objects are in the image?", 1), maxTokens: 12, logprobs: 2 };

  it("never, with q = 1: the same bits", async () => {
    const { usage: _, timings: __, ...whole } = await model.generate(question);
    const { usage, timings: ___, ...reply } = await model.generate({ ...question, plan: { exit: { q: 1 } } });
    expect(reply).toEqual(whole);
    expect(usage.exit?.meanLayer).toBe(7);
  });

  it("always at the first candidate, with q = 0", async () => {
    const options = { messages: ask("What is this?"), ...longAnswer(10) };
    const { usage } = await model.generate({ ...options, plan: { exit: { layers: [4, 6], q: 0 } } });
    expect(usage.exit).toEqual({ tokens: [0, 0, 0, 0, 9, 0, 0, 0], meanLayer: 4 });
  });

  it("are refused together with drafts", async () => {
    const { code } = await refusal(model.generate({ ...question, plan: { exit: {}, draft: {} } }));
    expect(code).toBe("ERR_FOVEA_PLAN");
  });
});
