import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ForwardInputs, loadModel, type Model, type ModelInputs } from "../../lib/index.js";
import { ask, content, miniModel, refusal } from "../engine/fixtures.js";

const ARGUMENT = "ERR_FOVEA_INVALID_ARGUMENT";

let model: Model;
let inputs: ModelInputs;
let answer: unknown;
const question = { messages: ask("What is this?", 1), maxTokens: 2, logprobs: 1 };
beforeAll(async () => {
  model = await loadModel(miniModel);
  inputs = await model.process(question.messages);
  answer = content(await model.generate(question));
});
afterAll(async () => {
  expect(content(await model.generate(question))).toEqual(answer);
  await model.dispose();
});

const ids = (data: ArrayLike<number>, shape = [1, data.length]) => ({ data: Int32Array.from(data), shape });
const pixels = (...shape: number[]) => ({ data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape });
/** As many image tokens as wanted between two words. */
const withImages = (n: number) => ids([1, ...Array(n).fill(3), 20]);

/** Each changes good inputs of one image. */
const wrong: Record<string, [(good: ModelInputs) => unknown, RegExp, string?]> = {
  "no inputs": [() => null, /inputs/],
  "inputs in an array": [() => [], /inputs/],
  "no input_ids": [({ pixel_values }) => ({ pixel_values }), /input_ids/],
  "input_ids null": [(good) => ({ ...good, input_ids: null }), /input_ids/],
  "input_ids as an array": [(good) => ({ ...good, input_ids: { data: [1, 2], shape: [1, 2] } }), /input_ids/],
  "input_ids as floats": [
    (good) => ({ ...good, input_ids: { data: new Float32Array(4), shape: [1, 4] } }),
    /input_ids/,
  ],
  "input_ids of one dimension": [
    (good) => ({ ...good, input_ids: { data: new Int32Array(4), shape: [4] } }),
    /input_ids/,
  ],
  "input_ids of a wrong shape": [
    (good) => ({ ...good, input_ids: { data: new Int32Array(4), shape: [1, 5] } }),
    /input_ids.*4.*5/,
  ],
  "input_ids of a negative shape": [
    (good) => ({ ...good, input_ids: { data: new Int32Array(4), shape: [-2, -2] } }),
    /input_ids/,
  ],
  "input_ids of no rows": [() => ({ input_ids: ids([], [1, 0]) }), /input_ids/],
  "input_ids of no sequences": [() => ({ input_ids: ids([], [0, 5]) }), /input_ids/],
  "too many sequences": [() => ({ input_ids: ids(Array(5000).fill(5), [5000, 1]) }), /4096/],
  "an id beyond the vocabulary": [() => ({ input_ids: ids([1, 970]) }), /970.*969/],
  "a negative id": [() => ({ input_ids: ids([1, -1]) }), /-1.*969/],
  "an id beyond 32 bits": [
    () => ({ input_ids: { data: BigInt64Array.of(1n, 2n ** 32n + 5n), shape: [1, 2] } }),
    /input_ids/,
  ],
  "more rows than the context": [
    () => ({ input_ids: ids(Array(2049).fill(5)) }),
    /2049.*2048/,
    "ERR_FOVEA_CONTEXT_LENGTH",
  ],
  "a mask of another shape": [(good) => ({ ...good, attention_mask: ids([1, 1]) }), /attention_mask/],
  "a mask that hides everything": [
    (good) => ({ ...good, attention_mask: ids(Array(good.input_ids.data.length).fill(0)) }),
    /attention_mask/,
  ],
  "a mask null": [(good) => ({ ...good, attention_mask: null }), /attention_mask/],
  "pixels null": [(good) => ({ ...good, pixel_values: null }), /pixel_values/],
  "pixels of doubles": [
    (good) => ({ ...good, pixel_values: { data: new Float64Array(3), shape: [1, 3, 1, 1] } }),
    /pixel_values/,
  ],
  "pixels of three dimensions": [(good) => ({ ...good, pixel_values: pixels(3, 224, 224) }), /pixel_values/],
  "pixels of four channels": [(good) => ({ ...good, pixel_values: pixels(1, 4, 224, 224) }), /pixel_values.*4/],
  "pixels of another size": [(good) => ({ ...good, pixel_values: pixels(1, 3, 336, 336) }), /336.*224|224.*336/],
  "pixels of no size": [(good) => ({ ...good, pixel_values: pixels(1, 3, 0, 0) }), /0 x 0|pixel_values|224/],
  "pixels fewer than their shape": [
    (good) => ({ ...good, pixel_values: { data: new Float32Array(5), shape: [1, 3, 224, 224] } }),
    /pixel_values has 5/,
  ],
  "image tokens without pixels": [({ input_ids }) => ({ input_ids }), /image tokens/],
  "pixels without image tokens": [({ pixel_values }) => ({ input_ids: ids([1, 5]), pixel_values }), /image/],
  "two images, tokens of one": [(good) => ({ ...good, pixel_values: pixels(2, 3, 224, 224) }), /image/],
  "an image token too few": [({ pixel_values }) => ({ input_ids: withImages(255), pixel_values }), /255.*256/],
  "an image token too many": [({ pixel_values }) => ({ input_ids: withImages(257), pixel_values }), /image tokens/],
  "image tokens in two parts": [
    ({ pixel_values }) => ({ input_ids: ids([1, ...Array(100).fill(3), 9, ...Array(156).fill(3)]), pixel_values }),
    /100.*256/,
  ],
  "pixels that are NaN": [
    (good) => ({
      ...good,
      pixel_values: { data: new Float32Array(3 * 224 * 224).fill(Number.NaN), shape: [1, 3, 224, 224] },
    }),
    /NaN|nan|finite/,
    "ERR_FOVEA_NUMERIC",
  ],
};

describe("forward() refuses", () => {
  it.each(Object.entries(wrong))("%s", async (_, [make, message, code = ARGUMENT]) => {
    const got = await refusal(model.forward(make(inputs) as ForwardInputs));
    expect(got.message).toMatch(message);
    expect(got.code).toBe(code);
  });

  const options: [string, unknown][] = [
    ...[-1, 1.5, "x", Number.NaN].map((value) => ["logitsToKeep", value] as [string, unknown]),
    ["taps", "yes"],
    ["keepLists", 1],
    ["signal", {}],
  ];
  it.each(options)("the option %s: %j", async (name, value) => {
    const got = await refusal(model.forward(inputs, { [name]: value }));
    expect(got.code).toBe(ARGUMENT);
    expect(got.message.replaceAll("_", "").toLowerCase()).toContain(name.toLowerCase());
  });
});

describe("a plan is refused with ERR_FOVEA_PLAN when", () => {
  const stage = (method: string, options: object = {}) => ({ stages: [{ method, ...options }] });
  const skip = (part: unknown, layers: unknown, phase?: unknown) => ({
    skipLayers: [{ part, layers, ...(phase !== undefined && { phase }) }],
  });
  const plans: [string, unknown, RegExp][] = [
    ["it is null", null, /top level/],
    ["it is a string", "pyramidDrop", /top level/],
    ["it is an array", [], /top level/],
    ["it has an unknown member", { stage: [] }, /"stage".*stages/],
    ["the positions are unknown", { positions: "grid" }, /positions.*grid/],
    ["the stages are no array", { stages: {} }, /stages/],
    ["a stage is null", { stages: [null] }, /stages\[0\]/],
    ["a stage has no method", { stages: [{ keep: 0.5 }] }, /stages\[0\]\.method/],
    ["a method is unknown", stage("divprune", { keep: 0.5 }), /divprune.*divPrune/],
    ["a method is a property of every object", stage("constructor"), /constructor/],
    ["an option is unknown", stage("divPrune", { ratio: 0.5 }), /ratio/],
    ...[0, 2, -0.5, Number.NaN, Number.POSITIVE_INFINITY, "half", null, true].map(
      (keep) => [`keep is ${keep}`, stage("divPrune", { keep }), /stages\[0\]\.keep/] as [string, unknown, RegExp],
    ),
    ...[0, -1, 1.5, "x", Number.NaN, 2 ** 53].map(
      (count) => [`count is ${count}`, stage("uniform", { count }), /stages\[0\]\.count/] as [string, unknown, RegExp],
    ),
    ["keep and count are both given", stage("uniform", { keep: 0.5, count: 5 }), /only one/],
    ["neither keep nor count is given", stage("uniform"), /keep, count/],
    ...[0, 8, -1, 1.5, "6", Number.NaN].map(
      (layer) =>
        [`layer is ${layer}`, stage("random", { keep: 0.5, layer }), /stages\[0\]\.layer/] as [string, unknown, RegExp],
    ),
    ["a seed is a fraction", stage("random", { keep: 0.5, seed: 0.5 }), /seed/],
    [
      "layers and keeps differ in number",
      stage("pyramidDrop", { layers: [2, 4], keep: [0.5] }),
      /pyramidDrop|layers|keep/,
    ],
    ["layers descend", stage("pyramidDrop", { layers: [4, 2], keep: [0.5, 0.5] }), /layers/],
    ["there are too many stages", { stages: Array(65).fill({ method: "uniform", keep: 0.9 }) }, /64/],
    ["skipLayers is no array", { skipLayers: {} }, /skipLayers/],
    ["a skipped part is unknown", skip("mlp", [1]), /mlp.*ffn/],
    ["a skipped layer is out of range", skip("ffn", [8]), /layers\[0\].*8.*0 to 7/],
    ["a skipped layer is negative", skip("ffn", [-1]), /layers\[0\]/],
    ["a skipped layer is NaN", skip("ffn", [Number.NaN]), /layers\[0\]/],
    ["no layer is skipped", skip("ffn", []), /layers/],
    ["a layer is skipped twice", skip("ffn", [1, 1]), /once/],
    ["a phase is unknown", skip("ffn", [1], "training"), /training/],
    ["attention is skipped in prefill only", skip("attention", [1], "prefill"), /prefill/],
    ["a block is skipped in prefill only", skip("block", [1], "prefill"), /prefill/],
  ];
  it.each(plans)("%s", async (_, plan, message) => {
    const calls = [
      model.generate({ messages: question.messages, plan: plan as never, maxTokens: 1 }),
      model.forward({ ...inputs, plan: plan as never }),
    ];
    for (const got of await Promise.all(calls.map(refusal))) {
      expect(got.message).toMatch(message);
      expect(got.code).toBe("ERR_FOVEA_PLAN");
    }
  });
});

describe("plans at their limits work:", () => {
  const plans: [string, object][] = [
    [
      "one row per image at every layer",
      { stages: [{ method: "pyramidDrop", layers: [1, 2, 3], keep: [0.001, 0.001, 0.001] }] },
    ],
    ["more rows than there are", { stages: [{ method: "uniform", count: 1_000_000 }] }],
    ["every block skipped", { skipLayers: [{ part: "block", layers: [0, 1, 2, 3, 4, 5, 6, 7] }] }],
    [
      "every FFN skipped while decoding",
      { skipLayers: [{ part: "ffn", layers: [0, 1, 2, 3, 4, 5, 6, 7], phase: "decode" }] },
    ],
    ["64 stages", { stages: Array(64).fill({ method: "uniform", keep: 0.9 }) }],
    [
      "drops beside skipped attention",
      {
        stages: [
          { method: "uniform", keep: 0.5, layer: 3 },
          { method: "pyramidDrop", layers: [3], keep: [0.5] },
        ],
        skipLayers: [{ part: "attention", layers: [2, 3] }],
      },
    ],
    ["nothing", {}],
  ];
  it.each(plans)("%s", async (_, plan) => {
    const { tokens, usage } = await model.generate({ messages: ask("What is this?", 1, 2), plan, maxTokens: 3 });
    expect(tokens.length).toBe(usage.generatedTokens);
    expect(usage.stages.every((stage) => stage.images.every((image) => image.rowsOut >= 1))).toBe(true);
  });
});
