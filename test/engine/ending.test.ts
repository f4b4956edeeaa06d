import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../lib/index.js";
import { ask, longAnswer, miniModel } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

/** A long text with many different tokens. */
const request = { messages: ask("What is this?"), ...longAnswer(60, 21) };

describe("an answer ends", () => {
  it("at the model's end token, which is not part of it", async () => {
    const reply = await model.generate({ messages: ask("Where is the clock?", 0) });
    expect(reply.finishReason).toBe("stop");
    expect(reply.tokens.length).toBeGreaterThan(0);
    expect(reply.tokens.map((token) => token.id)).not.toContain(2);
    expect(reply.usage.generatedTokens).toBe(reply.tokens.length);
  });

  it.each([1, 2, 17])("at maxTokens %i", async (maxTokens) => {
    const reply = await model.generate({ ...request, maxTokens });
    const whole = await model.generate(request);
    expect(reply.finishReason).toBe("length");
    expect(reply.tokens).toEqual(whole.tokens.slice(0, maxTokens));
    expect(reply.usage.generatedTokens).toBe(maxTokens);
    expect(whole.text.startsWith(reply.text)).toBe(true);
  });

  it("at the end of the context", async () => {
    const context = model.info.contextLength;
    const messages = ask("dog ".repeat(2000));
    const rows = (await model.process(messages)).input_ids.data.length;
    const reply = await model.generate({ messages, ...longAnswer(100_000) });
    expect(reply.usage.generatedTokens).toBe(context - rows);
    expect(reply.finishReason).toBe("length");
  });

  it("before a stop string, however it lies across tokens", async () => {
    const { text, tokens } = await model.generate(request);
    // Every substring of 3 to 9 characters around each token border is a stop string that spreads over tokens.
    let border = 0;
    const stops = new Set<string>();
    for (const token of tokens.slice(0, 25)) {
      border += token.text.length;
      for (const [before, after] of [
        [1, 2],
        [4, 5],
      ] as const) {
        const stop = text.slice(Math.max(0, border - before), border + after);
        if (stop.length >= 3) stops.add(stop);
      }
    }
    expect(stops.size).toBeGreaterThan(20);
    for (const stop of stops) {
      const reply = await model.generate({ ...request, stop });
      expect(reply.text, `stop ${JSON.stringify(stop)}`).toBe(text.slice(0, text.indexOf(stop)));
      expect(reply.finishReason).toBe("stop");
      expect(reply.usage.generatedTokens).toBe(reply.tokens.length);
      const made = reply.tokens.map((token) => token.text).join("");
      expect(made.length, "no token after the one that completes the stop string").toBeLessThan(
        text.indexOf(stop) + stop.length + 1 + (reply.tokens.at(-1)?.text.length ?? 0),
      );
    }
  });

  it("at the first of several stop strings; others that never come change nothing", async () => {
    const whole = await model.generate(request);
    const { text } = whole;
    const early = text.slice(10, 14);
    const late = text.slice(40, 44);
    const both = await model.generate({ ...request, stop: [late, "never written", early] });
    expect(both.text).toBe(text.slice(0, text.indexOf(early)));
    const none = await model.generate({ ...request, stop: ["never written", `${text.slice(-3)}!?`] });
    expect(none.text).toBe(text);
    expect(none.finishReason).toBe(whole.finishReason);
  });
});
