import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Calibration, calibrate, loadModel, type Model, type Plan, type RowsDepth } from "../../lib/index.js";
import { expectClose } from "./compare.js";
import { embeddedModel, expectSamePictures, type Recorded, type RecordedAnswer, withPictures } from "./eval-pictures.js";
import { readGolden } from "./read-golden.js";

interface DepthMeta {
  pictures: Record<string, string>;
  prompts: Recorded[];
  skips: NonNullable<Plan["skipLayers"]>;
  choices: {
    drop: "attention" | "ffn" | "block" | "joint";
    rows: "all" | "text";
    iterative: boolean;
    count: number;
    dropped: Calibration["dropped"];
  }[];
  windows: { count: number; distances: number[]; first: number }[];
}

interface DecodeMeta {
  pictures: Record<string, string>;
  cases: (RecordedAnswer & {
    name: string;
    plan: Plan;
    exitTokens?: number[];
    verifySteps?: number;
    drafted?: number;
    accepted?: number;
  })[];
}

const TOLERANCE = 1e-4;
const golden = readGolden<DepthMeta>("embedded/depth");
const decoding = readGolden<DecodeMeta>("embedded/decode-depth");
const { prompts, choices, windows, skips } = golden.meta;
const samples = prompts.map(({ messages }) => ({ messages: withPictures(messages) }));

let model: Model;
beforeAll(async () => {
  model = await loadModel(embeddedModel, { dtype: "f32" });
});
afterAll(() => model.dispose());

it("the pictures are the recorded ones", () => {
  expectSamePictures(golden.meta.pictures);
  expectSamePictures(decoding.meta.pictures);
});

/** Means as recorded: (n_layers, [attention, ffn, block], [cosine, contribution]). */
function flat(layers: readonly RowsDepth[]): number[] {
  return layers.flatMap(({ attention, ffn, block }) =>
    [attention, ffn, block].flatMap(({ cosine, contribution }) => [cosine, contribution]),
  );
}

function expectDepth(layers: readonly RowsDepth[], name: string): void {
  const expected = golden.floats(name).data;
  const half = (values: ArrayLike<number>, at: number) => Array.from(values).filter((_, i) => i % 2 === at);
  expectClose(half(flat(layers), 0), half(expected, 0), TOLERANCE, `${name}: cosines`);
  expectClose(half(flat(layers), 1), half(expected, 1), TOLERANCE, `${name}: contributions`);
}

describe("what every layer does equals hooks on transformers' modules", () => {
  it.each(prompts.map((_, index) => index))("prompt %i", async (index) => {
    const sample = samples[index] as (typeof samples)[number];
    const inputs = await model.process(sample.messages);
    const plain = await model.forward(inputs, { logitsToKeep: 1 });
    const { depth, logits } = await model.forward(inputs, { logitsToKeep: 1, depth: true });
    expect(plain.depth).toBeUndefined();
    expect(logits).toEqual(plain.logits);
    expect(depth).toHaveLength(1);
    const { layers = [], lastRow } = depth?.[0] ?? {};
    expectDepth(
      layers.map(({ text }) => text),
      `${index}.text`,
    );
    const visualRows = inputs.pixel_values === undefined ? 0 : (inputs.pixel_values.shape[0] as number) * 256;
    expect(layers.map(({ visual }) => visual.rows)).toEqual(Array(8).fill(visualRows));
    if (visualRows > 0) {
      expectDepth(
        layers.map(({ visual }) => visual),
        `${index}.visual`,
      );
    }
    const expected = golden.floats(`${index}.last_row`);
    expect(lastRow?.shape).toEqual(expected.shape);
    expectClose(lastRow?.data ?? [], expected.data, TOLERANCE, "last row");
  });

  it("with sub-layers left out", async () => {
    const inputs = await model.process(samples[0]?.messages ?? []);
    const { depth } = await model.forward({ ...inputs, plan: { skipLayers: skips } }, { logitsToKeep: 1, depth: true });
    expectDepth(
      depth?.[0]?.layers.map(({ visual }) => visual) ?? [],
      "skipping.visual",
    );
  });
});

/** The model, which measures a prompt under the same plan once: choices share most of what they measure. */
function remembering(): Pick<Model, "info" | "process" | "forward"> {
  const inputs = new Map<unknown, ReturnType<Model["process"]>>();
  const passes = new Map<unknown, Map<string, ReturnType<Model["forward"]>>>();
  const once = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
    const value = map.get(key) ?? make();
    map.set(key, value);
    return value;
  };
  return {
    info: model.info,
    process: (messages) => once(inputs, messages, () => model.process(messages)),
    forward: (prompt, options) => {
      const ofPrompt = once(passes, prompt.input_ids, () => new Map());
      return once(ofPrompt, JSON.stringify(prompt.plan), () => model.forward(prompt, options));
    },
  };
}

describe("calibrate chooses what the reference chooses", () => {
  let measured: ReturnType<typeof remembering>;
  beforeAll(() => {
    measured = remembering();
  });

  it.each(choices)("$drop by $rows rows, iterative $iterative", async ({ dropped, ...options }) => {
    const result = await calibrate(measured, samples, options);
    expect(result.dropped).toEqual(dropped);
    for (const kind of ["all", "text", "visual"] as const) {
      expectDepth(
        result.table.map((layer) => layer[kind]),
        `mean.${kind}`,
      );
    }
    // The plan says the same, and the model takes it.
    const inPlan = result.plan.skipLayers?.flatMap(({ part, layers }) => layers.map((layer) => `${part} ${layer}`));
    expect(inPlan?.sort()).toEqual(dropped.map(({ part, layer }) => `${part} ${layer}`).sort());
    await model.forward({ ...(await model.process(samples[0]?.messages ?? [])), plan: result.plan });
  });

  it.each(windows)("$count layers in a row", async ({ count, distances, first }) => {
    const result = await calibrate(measured, samples, { drop: "block", count, window: true });
    expectClose(result.windows ?? [], distances, 1e-4, "angular distances");
    expect(result.dropped).toEqual(Array.from({ length: count }, (_, i) => ({ part: "block", layer: first + i })));
  });
});

describe("early exits and drafts equal the plain PyTorch reference", () => {
  it.each(decoding.meta.cases)("$name", async ({ messages, plan, ids, text, finish, ...counts }) => {
    const reply = await model.generate({ messages: withPictures(messages), plan, maxTokens: 12 });
    expect(reply.text).toBe(text);
    expect(reply.tokens.map((token) => token.id).slice(0, ids.length)).toEqual(ids);
    expect(reply.finishReason).toBe(finish);
    const { draft, exit } = reply.usage;
    expect(exit?.tokens).toEqual(counts.exitTokens);
    expect(draft?.verifySteps).toBe(counts.verifySteps);
    expect(draft?.drafted).toBe(counts.drafted);
    expect(draft?.accepted).toBe(counts.accepted);
  });
});
