import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateOptions, loadModel, type Message, type Model, type Plan } from "../../lib/index.js";
import { ask, content, miniModel } from "./fixtures.js";

const half: Plan = { stages: [{ method: "divPrune", keep: 0.5 }] };
const plans: [string, Plan][] = [
  ["no plan", {}],
  ["rows dropped before the decoder", half],
  ["rows chosen by the text", { stages: [{ method: "cdPruner", keep: 0.5 }] }],
  ["rows merged inside the tower", { stages: [{ method: "toMe", keep: 0.5 }] }],
  ["positions kept", { ...half, positions: "original" }],
  ["a skipped FFN", { skipLayers: [{ part: "ffn", layers: [3] }] }],
  ["an FFN skipped while decoding", { skipLayers: [{ part: "ffn", layers: [3], phase: "decode" }] }],
  ["attention skipped", { skipLayers: [{ part: "attention", layers: [3] }] }],
  ["drafts", { draft: { skipLayers: [{ part: "block", layers: [5] }] } }],
  ["early exits", { exit: { layers: [3, 5], q: 0.5 } }],
];

/** A conversation that goes on. */
function secondTurn(first: Message[], answer: string): Message[] {
  return [...first, { role: "assistant", content: answer }, { role: "user", content: "Is there a cat?" }];
}

describe("a prompt that begins like an earlier one", () => {
  let model: Model;
  let forgetful: Model;
  beforeAll(async () => {
    [model, forgetful] = await Promise.all([loadModel(miniModel), loadModel(miniModel, { kvCacheBytes: 0 })]);
  });
  afterAll(() => Promise.all([model.dispose(), forgetful.dispose()]));

  const options = (messages: Message[], plan: Plan): GenerateOptions => ({
    messages,
    plan,
    maxTokens: 12,
    logprobs: 2,
    keepLists: true,
  });

  it.each(plans)("gives the same bits, with %s", async (_name, plan) => {
    const first = ask("What objects are in the image?", 3);
    const reply = await model.generate(options(first, plan));
    const next = options(secondTurn(first, reply.text), plan);
    const cached = await model.generate(next);
    const fresh = await forgetful.generate(next);
    expect(content(cached)).toEqual(content(fresh));
    expect(fresh.usage.cachedRows).toBe(0);
    // All of the first turn's rows that the stages before the decoder left.
    const left = reply.usage.kvRows.find((rows) => rows > 0) as number;
    expect(cached.usage.cachedRows).toBeGreaterThanOrEqual(plan.stages?.[0]?.method === "cdPruner" ? 1 : left - 1);
    expect(cached.usage.cachedRows).toBeLessThan(cached.usage.kvRows.find((rows) => rows > 0) as number);
  });

  it("another question about a picture reads the question only", async () => {
    await model.generate(options(ask("What is at the top left?", 5), half));
    const next = options(ask("How many dogs are there?", 5), half);
    const cached = await model.generate(next);
    expect(content(cached)).toEqual(content(await forgetful.generate(next)));
    expect(cached.usage.cachedRows).toBeGreaterThan(128);
  });

  it("another picture is read", async () => {
    await model.generate(options(ask("What is this?", 6), {}));
    const next = options(ask("What is this?", 7), {});
    const cached = await model.generate(next);
    expect(content(cached)).toEqual(content(await forgetful.generate(next)));
    expect(cached.usage.cachedRows).toBeLessThan(256);
  });

  it("the same prompt again runs its last row only", async () => {
    const again = options(ask("Is there a dog?", 8), {});
    const [first, second] = [await model.generate(again), await model.generate(again)];
    expect(content(second)).toEqual(content(first));
    expect(second.usage.cachedRows).toBe(second.usage.promptRows - 1);
  });

  it("requests at the same time share what was there before them", async () => {
    const before = ask("What color is the background?", 9);
    await model.generate(options(before, {}));
    const next = ["Is there a cat?", "Is there a dog?", "How many objects are there?"].map((q) =>
      options(ask(q, 9), {}),
    );
    const cached = await Promise.all(next.map((one) => model.generate(one)));
    for (const [i, reply] of cached.entries()) {
      expect(content(reply)).toEqual(content(await forgetful.generate(next[i] as GenerateOptions)));
      expect(reply.usage.cachedRows).toBeGreaterThan(256);
    }
  });

  it.each([
    ["inside the decoder", { stages: [{ method: "pyramidDrop" }] }],
    ["on the KV cache", { stages: [{ method: "snapKv", keep: 0.5 }] }],
  ])("is read again when stages act %s", async (_where, plan: Plan) => {
    const again = options(ask("What is this?", 10), plan);
    await model.generate(again);
    expect((await model.generate(again)).usage.cachedRows).toBe(0);
  });

  it("is read again when the request says so", async () => {
    const again = { ...options(ask("What is this?", 11), {}), cache: false };
    await model.generate(again);
    expect((await model.generate({ ...again, cache: true })).usage.cachedRows).toBeLessThan(256);
    expect((await model.generate(again)).usage).toMatchObject({ cachedRows: 0, cachedImages: 0 });
  });

  it("an aborted request leaves what it read", async () => {
    const messages = ask("What objects are in the image?", 12);
    for await (const event of model.stream(options(messages, {}))) if (event.type === "text-delta") break;
    const cached = await model.generate(options(messages, {}));
    expect(content(cached)).toEqual(content(await forgetful.generate(options(messages, {}))));
  });
});
