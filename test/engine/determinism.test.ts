import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { cpuInfo, loadModel } from "../../lib/index.js";
import { ask, longAnswer, miniModel } from "./fixtures.js";
import { childModule } from "./run-child.js";

const requests = [
  { messages: ask("What objects are in the image?", 1) },
  { messages: ask("Where is the clock?", 0), plan: { stages: [{ method: "divPrune", keep: 0.25 }] } },
  { messages: ask("How many dogs are there?", 2), plan: { stages: [{ method: "pyramidDrop" }] } },
  { messages: ask("Is there a cat?"), maxTokens: 8 },
];

/** Tokens and kept rows of every request. */
async function answers(threads: number) {
  await using model = await loadModel(miniModel, { threads });
  const replies = [];
  for (const request of requests) replies.push(await model.generate({ ...request, logprobs: 1, keepLists: true }));
  return replies.map(({ text, tokens, usage }) => ({
    text,
    tokens: tokens.map(({ id, logprob }) => ({ id, logprob })),
    kept: usage.stages.map((stage) => stage.images.map((image) => [...(image.kept ?? [])])),
  }));
}

describe("greedy answers do not depend on", () => {
  it("the number of threads, not by a bit", async () => {
    const one = await answers(1);
    expect(await answers(2)).toEqual(one);
    expect(await answers(3)).toEqual(one);
  });

  it("the kernel tier, in their tokens", async () => {
    const { tiers } = cpuInfo();
    const reference = (await answers(2)).map(({ text, tokens }) => ({ text, ids: tokens.map((token) => token.id) }));
    for (const tier of tiers) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [childModule("tier.mjs"), JSON.stringify(requests)],
        {
          env: { ...process.env, FOVEA_ISA: tier },
        },
      );
      const got = JSON.parse(stdout) as { tier: string; replies: unknown };
      expect(got.tier).toBe(tier);
      expect(got.replies, `tier ${tier}`).toEqual(reference);
    }
  });

  it("what was drawn before: a seed gives the same tokens again", async () => {
    await using model = await loadModel(miniModel);
    const request = { messages: ask("What is this?"), ...longAnswer(40, 11) };
    const first = await model.generate(request);
    await model.generate({ ...request, seed: 12 });
    expect((await model.generate(request)).tokens).toEqual(first.tokens);
  });
});
