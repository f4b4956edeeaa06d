import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateOptions, loadModel, type Model, type StreamEvent } from "../../lib/index.js";
import { ask, content, longAnswer, miniModel } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

async function collect(options: GenerateOptions): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of model.stream(options)) events.push(event);
  return events;
}

describe("a stream", () => {
  const requests: Record<string, GenerateOptions> = {
    "a short answer": { messages: ask("What objects are in the image?", 1) },
    "a long, random answer": { messages: ask("What is at the top left?", 2), ...longAnswer(60, 7), logprobs: 2 },
    "an answer that ends at once": { messages: ask("Is there a cat in the image?", 3), maxTokens: 1 },
    "an answer cut by a stop string": { messages: ask("What objects are in the image?", 1), stop: " and" },
  };

  it.each(Object.entries(requests))(
    "of %s: text, then one end, together what generate() returns",
    async (_, options) => {
      const events = await collect(options);
      const last = events.at(-1);
      if (last?.type !== "generation-end") throw new Error("the last event is no generation-end");
      const deltas = events.slice(0, -1).map((event) => {
        if (event.type !== "text-delta") throw new Error(`${event.type} before the end`);
        expect(event.text).not.toBe("");
        return event;
      });
      expect(deltas.length).toBeGreaterThan(0);
      expect(deltas.map((delta) => delta.text).join("")).toBe(last.reply.text);
      const streamed = deltas.flatMap((delta) => delta.tokens);
      expect(streamed).toEqual(last.reply.tokens.slice(0, streamed.length));
      expect(content(await model.generate(options))).toEqual(content(last.reply));
    },
  );

  it("delivers text while the answer is still being made", async () => {
    const arrivals: number[] = [];
    const start = performance.now();
    for await (const event of model.stream({ messages: ask("What is this?"), ...longAnswer(300) })) {
      arrivals.push(performance.now() - start);
      if (event.type === "generation-end") break;
    }
    const [first = 0] = arrivals;
    expect(first).toBeLessThan((arrivals.at(-1) as number) / 3);
    expect(arrivals.length).toBeGreaterThan(10);
  });
});
