import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model, type Plan } from "../../lib/index.js";
import { argmax } from "../golden/compare.js";
import { ask, longAnswer, miniModel } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

describe("logprobs", () => {
  it("are those of the likeliest tokens, likeliest first", async () => {
    const { tokens } = await model.generate({ messages: ask("What objects are in the image?", 1), logprobs: 5 });
    for (const { id, logprob, top } of tokens) {
      expect(top).toHaveLength(5);
      expect(top?.[0]).toMatchObject({ id, logprob });
      const values = top?.map((other) => other.logprob) ?? [];
      expect(values).toEqual([...values].sort((a, b) => b - a));
      const mass = values.reduce((sum, value) => sum + Math.exp(value), 0);
      expect(mass).toBeLessThanOrEqual(1 + 1e-5);
      expect(mass).toBeGreaterThan(0);
    }
  });

  it("equal the log-softmax of forward()'s logits", async () => {
    const messages = ask("Where is the clock?", 0);
    const { tokens } = await model.generate({ messages, maxTokens: 1, logprobs: 100, ...{ temperature: 2, seed: 3 } });
    const { logits } = await model.forward(await model.process(messages), { logitsToKeep: 1 });
    const max = Math.max(...logits.data);
    const logSum = max + Math.log(logits.data.reduce((sum, value) => sum + Math.exp(value - max), 0));
    for (const { id, logprob } of [...(tokens[0]?.top ?? []), tokens[0] as { id: number; logprob: number }]) {
      expect(logprob).toBeCloseTo((logits.data[id] as number) - logSum, 4);
    }
    expect(tokens[0]?.top?.[0]?.id).toBe(argmax(logits.data));
  });

  it("are left out unless asked for; 0 asks for the token's own only", async () => {
    const messages = ask("Is there a cat?");
    const [plain] = (await model.generate({ messages, maxTokens: 1 })).tokens;
    expect(Object.keys(plain ?? {}).sort()).toEqual(["id", "text"]);
    const [own] = (await model.generate({ messages, maxTokens: 1, logprobs: 0 })).tokens;
    expect(own?.logprob).toBeLessThanOrEqual(0);
    expect(own?.top).toEqual([]);
  });
});

describe("usage", () => {
  it("without a plan: every layer holds every row", async () => {
    const { usage } = await model.generate({ messages: ask("What is this?", 1), ...longAnswer(9) });
    expect(usage.visualRows).toBe(256);
    expect(usage.generatedTokens).toBe(9);
    expect(usage.stages).toEqual([]);
    expect(usage.skipped).toEqual([]);
    expect(usage.kvRows).toEqual(Array(8).fill(usage.promptRows));
    expect(usage.promptRows).toBeGreaterThan(256);
  });

  it("with a plan: stages chain, and layers hold what the plan left them", async () => {
    const plan: Plan = {
      stages: [
        { method: "uniform", keep: 0.25, layer: 4 },
        { method: "divPrune", keep: 0.5 },
        { method: "random", count: 10, layer: 6, seed: 1 },
      ],
      skipLayers: [
        { part: "ffn", layers: [7] },
        { part: "attention", layers: [5] },
      ],
    };
    const { usage } = await model.generate({
      messages: ask("What is this?", 1, 2),
      plan,
      ...longAnswer(5),
      keepLists: true,
    });
    expect(usage.stages.map(({ name, hook, layer }) => ({ name, hook, layer }))).toEqual([
      { name: "divPrune", hook: "projected", layer: undefined },
      { name: "uniform", hook: "decoder-layer", layer: 4 },
      { name: "random", hook: "decoder-layer", layer: 6 },
    ]);
    const visual = usage.stages.map((stage) => stage.images.map(({ rowsIn, rowsOut }) => [rowsIn, rowsOut]));
    expect(visual).toEqual([
      [
        [256, 128],
        [256, 128],
      ],
      [
        [128, 32],
        [128, 32],
      ],
      [
        [32, 10],
        [32, 10],
      ],
    ]);
    for (const stage of usage.stages) {
      for (const { kept = new Int32Array(), rowsOut } of stage.images) {
        expect(kept).toHaveLength(rowsOut);
        expect([...kept]).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(Math.max(...kept)).toBeLessThan(256);
        expect(Math.min(...kept)).toBeGreaterThanOrEqual(0);
      }
    }
    for (let stage = 1; stage < 3; stage++) {
      const before = new Set(usage.stages[stage - 1]?.images[0]?.kept);
      expect([...(usage.stages[stage]?.images[0]?.kept ?? [])].every((row) => before.has(row))).toBe(true);
    }
    const rest = usage.promptRows - 512;
    const rows = [256, 256, 256, 256, 64, 0, 20, 20].map((kept) => kept + rest);
    rows[5] = 0; // attention skipped: nothing to remember
    expect(usage.kvRows).toEqual(rows);
    expect(usage.skipped).toEqual([
      { layer: 5, part: "attention", phase: "both" },
      { layer: 7, part: "ffn", phase: "both" },
    ]);
  });

  it("without keepLists holds counts only", async () => {
    const plan = { stages: [{ method: "uniform", keep: 0.5 }] };
    const { usage } = await model.generate({ messages: ask("What is this?", 1), plan, maxTokens: 1 });
    expect(usage.stages[0]?.images).toEqual([{ rowsIn: 256, rowsOut: 128 }]);
  });
});

describe("timings", () => {
  it("cover every phase and add up to no more than the total", async () => {
    const plan = { stages: [{ method: "divPrune", keep: 0.5 }, { method: "pyramidDrop" }] };
    const { timings } = await model.generate({ messages: ask("What is this?", 1), plan, ...longAnswer(20) });
    const { preprocess, queue, encode, prefill, select, decode, total } = timings;
    for (const [phase, ms] of Object.entries(timings)) expect(ms, phase).toBeGreaterThanOrEqual(0);
    for (const ms of [preprocess, encode, prefill, select, decode]) expect(ms).toBeGreaterThan(0);
    expect(select).toBeLessThanOrEqual(prefill);
    expect(preprocess + queue + encode + prefill + decode).toBeLessThanOrEqual(total + 1);
  });

  it("show how long a request waited for another one's prefill", async () => {
    const first = model.generate({ messages: ask("What is this?", 1, 2, 3, 4), maxTokens: 1 });
    const second = model.generate({ messages: ask("What is this?", 1, 2, 3, 5), maxTokens: 1 });
    const waits = (await Promise.all([first, second])).map((reply) => reply.timings.queue);
    expect(Math.max(...waits)).toBeGreaterThan(5);
    const { timings } = await model.generate({ messages: ask("What is this?"), maxTokens: 1 });
    expect(timings.queue, "an idle engine starts at once").toBeLessThan(Math.max(...waits));
  });
});
