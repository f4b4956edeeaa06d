import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ForwardResult, loadModel, type Model, type ModelInputs, type Plan } from "../../lib/index.js";
import { methods } from "../../lib/prune/registry.js";
import { sampled } from "../engine/sanitized.js";
import { expectClose } from "./compare.js";
import { embeddedModel, expectSamePictures, type RecordedAnswer, withPictures } from "./eval-pictures.js";
import { readGolden } from "./read-golden.js";

interface Case extends RecordedAnswer {
  name: string;
  plan: Plan;
}

interface PrunedCase extends Case {
  /** Per stage and image: lead of the last row kept over the first one dropped; null when every row stays. */
  margins: (number | null)[][];
  /** Rows that enter each decoder layer. */
  rowsPerLayer: number[];
}

interface Recording<C> {
  pictures: Record<string, string>;
  cases: C[];
}

const TOLERANCE = 1e-3;
const pruning = readGolden<Recording<PrunedCase>>("embedded/pruning");
const skipping = readGolden<Recording<Case>>("embedded/skip");

let model: Model;
beforeAll(async () => {
  model = await loadModel(embeddedModel, { dtype: "f32" });
});
afterAll(() => model.dispose());

it("the pictures are the recorded ones", () => {
  expectSamePictures(pruning.meta.pictures);
  expectSamePictures(skipping.meta.pictures);
});

/** Ids of a greedy reply, cut where the recording ends. */
async function greedy({ messages, plan, ids }: Case) {
  const reply = await model.generate({ messages: withPictures(messages), plan, maxTokens: 12, keepLists: true });
  return { reply, ids: reply.tokens.map((token) => token.id).slice(0, ids.length) };
}

describe("dropping rows equals the plain PyTorch reference", () => {
  it.each(sampled(pruning.meta.cases, 5))("$name", async (recorded) => {
    const { name, plan, messages, margins, rowsPerLayer } = recorded;
    const inputs = await model.process(withPictures(messages));
    expect([...(inputs.input_ids.data as Int32Array)]).toEqual([...pruning.ints(`${name}.input_ids`).data]);
    const { logits, stages, rows } = await model.forward({ ...inputs, plan }, { keepLists: true });

    const kept = stages[0]?.map((stage) => stage.images.map((image) => [...(image.kept as Int32Array)]));
    const wanted = margins.map((stage, s) =>
      stage.map((_, image) => [...pruning.ints(`${name}.kept.${s}.${image}`).data]),
    );
    expect(kept).toEqual(wanted);

    const [, n = 0, vocab = 0] = logits.shape;
    expect(n).toBe(rowsPerLayer.at(-1));
    expect(rows[0]?.at(-1)).toBe(inputs.input_ids.data.length - 1);
    const last = logits.data.subarray((n - 1) * vocab);
    expectClose(last, pruning.floats(`${name}.logits`).data, TOLERANCE, "logits of the last row");

    const { reply, ids } = await greedy(recorded);
    expect(ids).toEqual(recorded.ids);
    expect(reply.text).toBe(recorded.text);
    expect(reply.finishReason).toBe(recorded.finish);
    expect(reply.usage.stages.map((stage) => stage.images.map((image) => [...(image.kept as Int32Array)]))).toEqual(
      wanted,
    );
    expect(reply.usage.kvRows).toEqual(rowsPerLayer);
  });
});

describe("skipping sub-layers equals transformers without them", () => {
  it.each(sampled(skipping.meta.cases, 5))("$name", async (recorded) => {
    const { name, plan, messages } = recorded;
    const inputs = await model.process(withPictures(messages));
    expect([...(inputs.input_ids.data as Int32Array)]).toEqual([...skipping.ints(`${name}.input_ids`).data]);
    const { logits } = await model.forward({ ...inputs, plan }, { logitsToKeep: 1 });
    expectClose(logits.data, skipping.floats(`${name}.logits`).data, TOLERANCE, "logits of the last row");
    const { reply, ids } = await greedy(recorded);
    expect(ids).toEqual(recorded.ids);
    expect(reply.text).toBe(recorded.text);
  });
});

describe("keeping every row changes no bit", () => {
  const layers = [1, 2, 3, 4, 5, 6, 7];
  const canKeepAll = [...methods].filter(([, method]) => method.keepAll !== undefined);
  const everything: Record<string, Plan> = {
    ...Object.fromEntries(
      canKeepAll.map(([name, { keepAll }]) => [name, { stages: [{ method: name, ...keepAll }] }]),
    ),
    "pyramidDrop at every layer": { stages: [{ method: "pyramidDrop", layers, keep: layers.map(() => 1) }] },
    "uniform at every layer": { stages: layers.map((layer) => ({ method: "uniform", keep: 1, layer })) },
    "random at every layer": { stages: layers.map((layer) => ({ method: "random", keep: 1, layer })) },
    "all together": { stages: canKeepAll.map(([name, { keepAll }]) => ({ method: name, ...keepAll })) },
  };
  const prompts = ["pyramidDrop 0", "pyramidDrop two images 0", "pyramidDrop text only 0"];
  const positions = ["compact", "original"] as const;
  const table = Object.entries(everything).flatMap(([name, plan]) =>
    positions.map((policy) => ({ name, policy, plan: { ...plan, positions: policy } })),
  );

  const unpruned = new Map<string, { inputs: ModelInputs; whole: ForwardResult }>();
  beforeAll(async () => {
    for (const name of sampled(prompts, 2)) {
      const { messages } = pruning.meta.cases.find((c) => c.name === name) as PrunedCase;
      const inputs = await model.process(withPictures(messages));
      unpruned.set(name, { inputs, whole: await model.forward(inputs) });
    }
  });

  it.each(sampled(table, 2))("$name, $policy positions", async ({ plan }) => {
    for (const [name, { inputs, whole }] of unpruned) {
      const { logits, rows } = await model.forward({ ...inputs, plan });
      expect(logits.shape).toEqual(whole.logits.shape);
      expect(rows).toEqual(whole.rows);
      expect(Buffer.compare(bytes(logits.data), bytes(whole.logits.data)), `${name}: same bytes`).toBe(0);
    }
  });

  it("and dropping one row does", async () => {
    const { messages } = pruning.meta.cases[0] as PrunedCase;
    const inputs = await model.process(withPictures(messages));
    const whole = await model.forward(inputs, { logitsToKeep: 1 });
    const plan = { stages: [{ method: "uniform", keep: 255 / 256 }] };
    const { logits } = await model.forward({ ...inputs, plan }, { logitsToKeep: 1 });
    expect(Buffer.compare(bytes(logits.data), bytes(whole.logits.data))).not.toBe(0);
  });
});

function bytes(data: Float32Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
