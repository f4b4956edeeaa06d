import { describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../lib/index.js";
import { bigPhoto } from "./big-photo.js";
import { ask, content, longAnswer, miniModel, refusal } from "./fixtures.js";

const tiny = { messages: ask("Is there a cat?"), maxTokens: 1 };
const endless = { messages: ask("What is this?"), ...longAnswer(1500) };

describe("dispose()", () => {
  const running: Record<string, (model: Model) => Promise<Promise<unknown>[]>> = {
    "while tokens are made": async (model) => {
      const stream = model.stream(endless);
      await stream.next();
      const rest = async () => {
        for await (const _ of stream);
      };
      return [rest()];
    },
    "while the prompt is read": async (model) => [model.generate({ messages: ask("What?", 1, 2, 3, 4), maxTokens: 1 })],
    "while requests wait": async (model) => Array.from({ length: 30 }, () => model.generate(endless)),
    "while an image is decoded": async (model) => {
      const images = [await bigPhoto()];
      return [model.generate({ messages: ask("What?"), images })];
    },
    "during forward()": async (model) => [model.forward(await model.process(ask("What?", 1, 2, 3)))],
    "while forward() waits": async (model) => {
      const inputs = await model.process(ask("What?", 1, 2, 3));
      return [model.forward(inputs), model.forward(inputs)];
    },
  };
  it.each(Object.entries(running))("%s: fails it with ERR_FOVEA_DISPOSED", async (_, start) => {
    const model = await loadModel(miniModel);
    const outcomes = (await start(model)).map(refusal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await model.dispose();
    for (const { code, message } of await Promise.all(outcomes)) {
      expect(code).toBe("ERR_FOVEA_DISPOSED");
      expect(message).toMatch(/load it again/i);
    }
  });

  it("may be called twice, and at the same time", async () => {
    const model = await loadModel(miniModel);
    await Promise.all([model.dispose(), model.dispose()]);
    await model.dispose();
  });

  it("makes every later call fail", async () => {
    const model = await loadModel(miniModel);
    const inputs = await model.process(tiny.messages);
    await model.dispose();
    const calls = [
      model.generate(tiny),
      model.stream(tiny).next(),
      model.forward(inputs),
      model.process(tiny.messages),
    ];
    for (const call of calls) expect(await refusal(call)).toMatchObject({ code: "ERR_FOVEA_DISPOSED" });
    expect(model.info.family).toBe("llava");
  });

  it("happens at the end of an `await using` block", async () => {
    let escaped: Model;
    {
      await using model = await loadModel(miniModel);
      escaped = model;
      expect((await model.generate(tiny)).tokens).toHaveLength(1);
    }
    expect(await refusal(escaped.generate(tiny))).toMatchObject({ code: "ERR_FOVEA_DISPOSED" });
  });
});

describe("two models", () => {
  it("work at the same time, and one outlives the other", async () => {
    const a = await loadModel(miniModel);
    const b = await loadModel(miniModel, { dtype: "f32", threads: 1 });
    expect(b.info.dtype).toBe("f32");
    const question = { messages: ask("What objects are in the image?", 1), logprobs: 1 };
    const alone = [content(await a.generate(question)), content(await b.generate(question))];
    const together = await Promise.all([a.generate(question), b.generate(question)]);
    expect(together.map(content)).toEqual(alone);
    const failed = refusal(a.generate(endless));
    const kept = b.generate(question);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await a.dispose();
    expect(await failed).toMatchObject({ code: "ERR_FOVEA_DISPOSED" });
    expect(content(await kept)).toEqual(alone[1]);
    await b.dispose();
  });
});
