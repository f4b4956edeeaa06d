import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model } from "../../lib/index.js";
import { argmax, expectClose } from "./compare.js";
import {
  embeddedModel,
  expectSamePictures,
  type Recorded,
  type RecordedAnswer,
  withPictures,
} from "./eval-pictures.js";
import { readGolden } from "./read-golden.js";

interface Embedded {
  pictures: Record<string, string>;
  taps: Recorded[];
  special: (RecordedAnswer & { name: string })[];
  answers: (RecordedAnswer & { id: string; kind: string })[];
}

const TOLERANCE = 1e-3;
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const STD = [0.26862954, 0.26130258, 0.27577711];
const golden = readGolden<Embedded>("embedded/embedded");
const { pictures, taps, special, answers } = golden.meta;

let model: Model;
beforeAll(async () => {
  model = await loadModel(embeddedModel, { dtype: "f32" });
});
afterAll(() => model.dispose());

/** Recorded bytes (1, 3, height, width) as the tower wants them. */
function normalised(name: string): { data: Float32Array; shape: number[] } {
  const { data, shape } = golden.bytes(name);
  const plane = data.length / 3;
  const value = (byte: number, i: number) => {
    const channel = Math.floor(i / plane);
    return (byte / 255 - (MEAN[channel] as number)) / (STD[channel] as number);
  };
  return { data: Float32Array.from(data, value), shape: [1, ...shape] };
}

it("the pictures are the recorded ones", () => expectSamePictures(pictures));

describe.each(taps.map((tap, index) => ({ ...tap, index })))("picture $index", ({ messages, index }) => {
  it("becomes the recorded ids and pixels", async () => {
    const inputs = await model.process(withPictures(messages));
    expect([...(inputs.input_ids.data as Int32Array)]).toEqual([...golden.ints(`${index}.input_ids`).data]);
    const expected = golden.bytes(`${index}.pixels`);
    const pixels = inputs.pixel_values?.data as Float32Array;
    const plane = expected.data.length / 3;
    expect(inputs.pixel_values?.shape).toEqual([1, ...expected.shape]);
    let worst = 0;
    for (const [i, byte] of expected.data.entries()) {
      const channel = Math.floor(i / plane);
      const now = ((pixels[i] as number) * (STD[channel] as number) + (MEAN[channel] as number)) * 255;
      worst = Math.max(worst, Math.abs(now - byte));
    }
    expect(worst, "pixels are at most 1/255 off").toBeLessThanOrEqual(1.001);
  });

  it("gives the recorded features, rows and logits", async () => {
    const inputs = { input_ids: golden.ints(`${index}.input_ids`), pixel_values: normalised(`${index}.pixels`) };
    const { logits, visionFeatures, projected } = await model.forward(inputs, { taps: true });
    const features = golden.floats(`${index}.features`);
    expect(visionFeatures?.shape).toEqual([1, ...features.shape]);
    expectClose(visionFeatures?.data ?? [], features.data, TOLERANCE, "vision features");
    const rows = golden.floats(`${index}.projected`);
    expectClose(projected?.data ?? [], rows.data, TOLERANCE, "projected rows");

    const expected = golden.floats(`${index}.logits`); // all rows of the first picture, the last row of the others
    const last = logits.data.subarray(logits.data.length - expected.data.length);
    expect(logits.shape.slice(0, 2)).toEqual([1, inputs.input_ids.data.length]);
    expectClose(last, expected.data, TOLERANCE, "logits");
  });
});

describe("prompts of every shape", () => {
  it.each(special)("$name", async ({ name, messages, ids, text, finish }) => {
    const inputs = await model.process(withPictures(messages));
    expect([...(inputs.input_ids.data as Int32Array)]).toEqual([...golden.ints(`${name}.input_ids`).data]);
    const { logits } = await model.forward(inputs, { logitsToKeep: 1 });
    const expected = golden.floats(`${name}.logits`);
    expectClose(logits.data, expected.data, TOLERANCE, "logits of the last row");
    expect(argmax(logits.data)).toBe(argmax(expected.data));
    const reply = await model.generate({ messages: withPictures(messages), maxTokens: 32 });
    expect(reply.text).toBe(text);
    expect(reply.tokens.map((token) => token.id).slice(0, ids.length)).toEqual(ids);
    expect(reply.finishReason).toBe(finish);
  });
});

it(`greedy answers to ${answers.length} questions are those of transformers`, { timeout: 600_000 }, async () => {
  const got: Record<string, string> = {};
  const wanted: Record<string, string> = {};
  for (const { id, kind, messages, ids, text } of answers) {
    const reply = await model.generate({ messages: withPictures(messages), maxTokens: 32 });
    const numbers = reply.tokens.map((token) => token.id).slice(0, ids.length);
    got[`${id} ${kind}`] = `${reply.text} [${numbers}]`;
    wanted[`${id} ${kind}`] = `${text} [${ids}]`;
  }
  expect(got).toEqual(wanted);
  expect(answers.length).toBeGreaterThanOrEqual(100);
});
