import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateOptions, loadModel, type Model } from "../../lib/index.js";
import { ask, content, longAnswer, miniModel, rejection } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

/** Of every kind: lengths of prompt and answer, plans, skipped layers, sampling. */
const mixed: GenerateOptions[] = [
  { messages: ask("What objects are in the image?", 1), logprobs: 2 },
  { messages: ask("What is this?"), ...longAnswer(50, 3), logprobs: 1 },
  {
    messages: ask("Where is the clock?", 0),
    plan: { stages: [{ method: "divPrune", keep: 0.25 }, { method: "pyramidDrop" }], positions: "original" },
    ...longAnswer(30, 4),
    logprobs: 1,
    keepLists: true,
  },
  {
    messages: ask("How many dogs are there?", 2),
    plan: { skipLayers: [{ part: "ffn", layers: [6, 7] }] },
    ...longAnswer(40, 5),
    logprobs: 1,
  },
  {
    messages: ask("What is different?", 4, 5),
    plan: { skipLayers: [{ part: "block", layers: [3], phase: "decode" }] },
    ...longAnswer(25, 6),
    logprobs: 1,
  },
  {
    messages: ask("What word is written?", 3),
    plan: { stages: [{ method: "random", keep: 0.5, seed: 9 }] },
    ...longAnswer(20, 7),
    repetitionPenalty: 1.3,
    logprobs: 1,
    keepLists: true,
  },
];

describe("requests at the same time", () => {
  it("answer exactly as one by one", async () => {
    const alone = [];
    for (const request of mixed) alone.push(content(await model.generate(request)));
    const together = await Promise.all(mixed.map((request) => model.generate(request)));
    expect(together.map(content)).toEqual(alone);
    const reversed = await Promise.all([...mixed].reverse().map((request) => model.generate(request)));
    expect(reversed.reverse().map(content)).toEqual(alone);
  });

  it("really overlap: a short one that came later ends first", async () => {
    const ends: string[] = [];
    const long = model.generate({ messages: ask("What is this?"), ...longAnswer(500) }).then(() => ends.push("long"));
    const short = model.generate({ messages: ask("Is there a cat?"), maxTokens: 3 }).then(() => ends.push("short"));
    await Promise.all([long, short]);
    expect(ends).toEqual(["short", "long"]);
  });

  it("more than decode together: the others wait, and all answer alike", async () => {
    const requests = Array.from({ length: 24 }, (_, i) => ({
      messages: ask(`What is ${i % 4}?`),
      ...longAnswer(30, i % 4),
    }));
    const replies = await Promise.all(requests.map((request) => model.generate(request)));
    for (const [i, reply] of replies.entries()) expect(content(reply)).toEqual(content(replies[i % 4] as typeof reply));
  });

  it("of which some fail or are aborted: the others do not notice", async () => {
    const wanted = content(await model.generate(mixed[1] as GenerateOptions));
    const abort = new AbortController();
    const [kept, tooLong, aborted] = await Promise.all([
      model.generate(mixed[1] as GenerateOptions),
      rejection(model.generate({ messages: ask("dog ".repeat(2100)) })),
      rejection(
        (async () => {
          const options = { messages: ask("What is this?", 1), ...longAnswer(500), signal: abort.signal };
          for await (const _ of model.stream(options)) abort.abort("enough");
        })(),
      ),
    ]);
    expect(content(kept)).toEqual(wanted);
    expect(tooLong).toMatchObject({ code: "ERR_FOVEA_CONTEXT_LENGTH" });
    expect(aborted).toBe("enough");
  });
});
