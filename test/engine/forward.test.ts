import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model, type ModelInputs } from "../../lib/index.js";
import { argmax } from "../golden/compare.js";
import { ask, miniModel } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

describe("process() and forward()", () => {
  it.each([
    ["one image", ask("What objects are in the image?", 1)],
    ["two images", ask("What is this?", 2, 3)],
    ["text only", ask("Is there a cat?")],
  ])("agree with generate()'s first token: %s", async (_, messages) => {
    const inputs = await model.process(messages);
    const rows = inputs.input_ids.data.length;
    expect(inputs.input_ids.shape).toEqual([1, rows]);
    expect(inputs.attention_mask).toEqual({ data: new Int32Array(rows).fill(1), shape: [1, rows] });
    const { logits } = await model.forward(inputs);
    expect(logits.shape).toEqual([1, rows, model.info.vocabSize]);
    const { tokens } = await model.generate({ messages, maxTokens: 1, logprobs: 1 });
    expect(tokens[0]?.id).toBe(argmax(logits.data.subarray(-model.info.vocabSize)));
  });

  it("take BigInt64Array ids and masks", async () => {
    const inputs = await model.process(ask("What is this?", 1));
    const { shape } = inputs.input_ids;
    const big = (data: ArrayLike<number | bigint>) => ({
      data: BigInt64Array.from([...(data as number[])].map(BigInt)),
      shape,
    });
    const same = await model.forward(
      { ...inputs, input_ids: big(inputs.input_ids.data), attention_mask: big(inputs.attention_mask?.data ?? []) },
      { logitsToKeep: 1 },
    );
    expect(same.logits.data).toEqual((await model.forward(inputs, { logitsToKeep: 1 })).logits.data);
  });

  it("return the last rows only with logitsToKeep, the same numbers", async () => {
    const inputs = await model.process(ask("What is this?", 1));
    const whole = await model.forward(inputs);
    const last = await model.forward(inputs, { logitsToKeep: 3 });
    const rows = inputs.input_ids.data.length;
    expect(last.logits.shape).toEqual([1, 3, model.info.vocabSize]);
    expect(last.logits.data).toEqual(whole.logits.data.subarray(-3 * model.info.vocabSize));
    expect([...(last.rows[0] ?? [])]).toEqual([rows - 3, rows - 2, rows - 1]);
    const more = await model.forward(inputs, { logitsToKeep: 100_000 });
    expect(more.logits.shape).toEqual(whole.logits.shape);
  });

  it("give tower and projector outputs with taps, and only then", async () => {
    const inputs = await model.process(ask("What is this?", 1, 2));
    const { imageRows, dModel, tower } = model.info;
    const { visionFeatures, projected } = await model.forward(inputs, { taps: true, logitsToKeep: 1 });
    expect(visionFeatures?.shape).toEqual([2, imageRows, tower.dModel]);
    expect(projected?.shape).toEqual([2, imageRows, dModel]);
    for (const { data } of [visionFeatures, projected].filter((x) => x !== undefined)) {
      expect(data.every(Number.isFinite)).toBe(true);
      expect(data.some((value) => value !== 0)).toBe(true);
    }
    const plain = await model.forward(inputs, { logitsToKeep: 1 });
    expect(plain).not.toHaveProperty("visionFeatures");
    expect(plain).not.toHaveProperty("projected");
  });

  it.each(["left", "right"] as const)("pad a batch on the %s: every sequence as if alone", async (side) => {
    const alone = await Promise.all(
      [ask("What objects are in the image?", 1), ask("Is there a cat or a dog or a bird in the image?", 2)].map((m) =>
        model.process(m),
      ),
    );
    const batch = pad(alone, side);
    const { logits, rows } = await model.forward(batch);
    const { vocabSize } = model.info;
    const [, length = 0] = logits.shape;
    for (const [b, inputs] of alone.entries()) {
      const single = await model.forward(inputs);
      const n = inputs.input_ids.data.length;
      const first = side === "left" ? length - n : 0;
      const got = logits.data.subarray((b * length + first) * vocabSize, (b * length + first + n) * vocabSize);
      expect(Buffer.compare(Buffer.from(got.slice().buffer), Buffer.from(single.logits.data.slice().buffer))).toBe(0);
      const wanted = Array.from({ length }, (_, i) => (i >= first && i < first + n ? i : -1));
      expect([...(rows[b] ?? [])]).toEqual(wanted);
    }
  });
});

function pad(sequences: ModelInputs[], side: "left" | "right"): ModelInputs {
  const length = Math.max(...sequences.map((s) => s.input_ids.data.length));
  const shape = [sequences.length, length];
  const ids = new Int32Array(sequences.length * length);
  const mask = new Uint8Array(ids.length);
  for (const [b, { input_ids }] of sequences.entries()) {
    const at = b * length + (side === "left" ? length - input_ids.data.length : 0);
    ids.set(input_ids.data as Int32Array, at);
    mask.fill(1, at, at + input_ids.data.length);
  }
  const pixels = sequences.map((s) => s.pixel_values?.data ?? new Float32Array());
  const pixelShape = sequences[0]?.pixel_values?.shape.slice(1) ?? [];
  const data = Float32Array.from(pixels.flatMap((p) => [...p]));
  return {
    input_ids: { data: ids, shape },
    attention_mask: { data: mask, shape },
    pixel_values: { data, shape: [sequences.length, ...pixelShape] },
  };
}
