import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateOptions, loadModel, type Model } from "../../lib/index.js";
import { ask, longAnswer, miniModel, refusal } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

const messages = ask("What is this?");

async function ids(options: Omit<GenerateOptions, "messages">): Promise<number[]> {
  return (await model.generate({ messages, maxTokens: 30, ...options })).tokens.map((token) => token.id);
}

describe("sampling", () => {
  it("repeats with a seed, differs with another, and with none", async () => {
    expect(await ids({ temperature: 50, seed: 1 })).toEqual(await ids({ temperature: 50, seed: 1 }));
    expect(await ids({ temperature: 50, seed: 1 })).not.toEqual(await ids({ temperature: 50, seed: 2 }));
    expect(await ids({ temperature: 50 })).not.toEqual(await ids({ temperature: 50 }));
  });

  const greedyAgain: Record<string, Omit<GenerateOptions, "messages">> = {
    "temperature 0 whatever the seed": { temperature: 0, seed: 5 },
    "topK 1": { temperature: 100, topK: 1 },
    "a tiny topP": { temperature: 1, topP: 1e-6 },
    "minP 1": { temperature: 1, minP: 1 },
    "temperature close to 0": { temperature: 1e-3 },
    "a repetitionPenalty of 1": { repetitionPenalty: 1 },
  };
  it.each(Object.entries(greedyAgain))("is greedy with %s", async (_, options) => {
    expect(await ids(options)).toEqual(await ids({}));
  });

  it.each([
    ["topK 5", { topK: 5 }, 5],
    ["topK 2 ** 32 + 1, more than the vocabulary", { topK: 2 ** 32 + 1 }, Number.POSITIVE_INFINITY],
  ])("with %s draws only among the likeliest", async (_, options, limit) => {
    const request = { messages, ...longAnswer(25, 3), ...options, logprobs: 20 };
    const { tokens } = await model.generate(request);
    const ranks = tokens.map(({ id, top }) => top?.findIndex((other) => other.id === id) ?? -1);
    if (limit === 5) {
      for (const rank of ranks) expect(rank).toBeLessThan(5);
      for (const rank of ranks) expect(rank).toBeGreaterThanOrEqual(0);
      expect(new Set(ranks).size, "not always the first").toBeGreaterThan(1);
    } else {
      expect(ranks, "tokens beyond the likeliest 20 occur").toContain(-1);
    }
  });

  it("with topP or minP leaves out unlikely tokens", async () => {
    for (const options of [{ topP: 0.5 }, { minP: 0.5 }]) {
      const { tokens } = await model.generate({
        messages,
        temperature: 1,
        seed: 4,
        maxTokens: 20,
        logprobs: 1,
        ...options,
      });
      for (const { logprob, top } of tokens) {
        const [best] = top ?? [];
        if ("minP" in options) expect(logprob).toBeGreaterThanOrEqual((best?.logprob ?? 0) + Math.log(0.5) - 1e-4);
        else expect(Math.exp(best?.logprob ?? 0) >= 0.5 ? logprob === best?.logprob : true).toBe(true);
      }
    }
  });

  it("with a repetitionPenalty above 1 repeats less", async () => {
    async function repeats(options: Omit<GenerateOptions, "messages">) {
      let count = 0;
      for (let seed = 1; seed <= 8; seed++) {
        const list = await ids({ temperature: 3, topK: 20, seed, maxTokens: 120, ...options });
        count += list.length - new Set(list).size;
      }
      return count;
    }
    expect(await repeats({ repetitionPenalty: 5 })).toBeLessThan(await repeats({}));
  });
});

describe("a sampling option out of range is refused by name", () => {
  const wrong: [keyof GenerateOptions, unknown][] = [
    ...[-0.1, 101, Number.NaN, Number.POSITIVE_INFINITY, "hot"].map((v) => ["temperature", v] as [never, unknown]),
    ...[-1, 1.5, Number.NaN, "all"].map((v) => ["topK", v] as [never, unknown]),
    ...[0, -1, 1.01, Number.NaN, "x"].map((v) => ["topP", v] as [never, unknown]),
    ...[-0.1, 1.1, Number.NaN, "x"].map((v) => ["minP", v] as [never, unknown]),
    ...[0, -2, 101, Number.NaN, "x"].map((v) => ["repetitionPenalty", v] as [never, unknown]),
    ...[1.5, Number.NaN, Number.POSITIVE_INFINITY, "x", {}].map((v) => ["seed", v] as [never, unknown]),
    ...[-2, 101, 2.5, 2 ** 32, "x"].map((v) => ["logprobs", v] as [never, unknown]),
    ...[0, -1, 1.5, Number.NaN, "x", 2 ** 53].map((v) => ["maxTokens", v] as [never, unknown]),
    ...["", [""], [1], 5, Array(65).fill("a"), null].map((v) => ["stop", v] as [never, unknown]),
    ...["yes", 1].map((v) => ["keepLists", v] as [never, unknown]),
  ];
  it.each(wrong.map(([name, value]) => ({ name, value })))("$name: $value", async ({ name, value }) => {
    const { code, message } = await refusal(model.generate({ messages, maxTokens: 2, [name]: value }));
    expect(code).toBe("ERR_FOVEA_INVALID_ARGUMENT");
    expect(message).toContain(name);
  });

  it("and the model still answers", async () => {
    expect(await ids({ maxTokens: 3 })).toHaveLength((await ids({ maxTokens: 3 })).length);
  });
});
