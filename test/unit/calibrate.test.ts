import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { angularDistances } from "../../lib/calibrate/angular-distance.js";
import { type CalibrateOptions, calibrate } from "../../lib/calibrate/calibrate.js";
import { DepthMeans } from "../../lib/calibrate/depth-table.js";
import { readSamples } from "../../lib/calibrate/read-samples.js";
import type { DepthProfile, RowsDepth } from "../../lib/engine/depth-profile.js";
import type { Plan } from "../../lib/index.js";
import { fakeInfo } from "./cli-fake-engine.js";

function rows(n: number, attention: number, ffn: number, block: number): RowsDepth {
  const change = (cosine: number) => ({ cosine, contribution: 1 - cosine });
  return { rows: n, attention: change(attention), ffn: change(ffn), block: change(block) };
}

/** A profile of 8 layers from cosines per layer; text rows only, one number wide last rows at these angles. */
function profile(
  cosines: { attention?: number[]; ffn?: number[]; block?: number[] },
  angles: number[] = Array(9).fill(0),
): DepthProfile {
  const at = (list: number[] | undefined, layer: number) => list?.[layer] ?? 0;
  return {
    layers: Array.from({ length: 8 }, (_, layer) => ({
      text: rows(10, at(cosines.attention, layer), at(cosines.ffn, layer), at(cosines.block, layer)),
      visual: rows(0, Number.NaN, Number.NaN, Number.NaN),
    })),
    lastRow: { data: Float32Array.from(angles.flatMap((a) => [Math.cos(a), Math.sin(a)])), shape: [9, 2] },
  };
}

/** Calibrates on a model whose profile depends on the plan. */
async function run(measure: (plan: Plan) => DepthProfile, options: Partial<CalibrateOptions>, nSamples = 2) {
  const plans: Plan[] = [];
  const progress: number[][] = [];
  const model = {
    info: fakeInfo,
    process: async () => ({ input_ids: { data: new Int32Array(3), shape: [1, 3] } }),
    forward: async ({ plan }: { plan?: Plan | undefined }) => {
      plans.push(plan as Plan);
      return {
        logits: { data: new Float32Array(), shape: [1, 0, 0] },
        lastHidden: { data: new Float32Array(), shape: [1, 0] },
        rows: [],
        stages: [],
        depth: [measure(plan as Plan)],
      };
    },
  };
  const samples = Array.from({ length: nSamples }, () => ({ messages: [{ role: "user" as const, content: "?" }] }));
  const result = await calibrate(model, samples, {
    drop: "attention",
    count: 1,
    onProgress: ({ done, total }) => progress.push([done, total]),
    ...options,
  });
  return { ...result, plans, progress };
}

const attention = [0.1, 0.5, 0.9, 0.9, 0.2, 0.95, 0.3, 0.4];
const ffn = [0.1, 0.5, 0.6, 0.97, 0.9, 0.2, 0.3, 0.4];
const block = [0.1, 0.2, 0.3, 0.99, 0.5, 0.6, 0.98, 0.7];

describe("calibrate", () => {
  it("takes the highest cosines, the lower layer on ties, and writes them in layer order", async () => {
    const result = await run(() => profile({ attention }), { count: 2 });
    expect(result.dropped).toEqual([
      { part: "attention", layer: 5 },
      { part: "attention", layer: 2 },
    ]);
    expect(result.plan).toEqual({ skipLayers: [{ part: "attention", layers: [2, 5] }] });
    expect(result.progress).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it("joint takes both kinds together, attention first on ties", async () => {
    const { dropped, plan } = await run(() => profile({ attention, ffn }), { drop: "joint", count: 4 });
    expect(dropped.map(({ part, layer }) => `${part} ${layer}`)).toEqual([
      "ffn 3",
      "attention 5",
      "attention 2",
      "attention 3",
    ]);
    expect(plan.skipLayers).toEqual([
      { part: "attention", layers: [2, 3, 5] },
      { part: "ffn", layers: [3] },
    ]);
  });

  it("adds to a plan and leaves alone what that skips", async () => {
    const base: Plan = { positions: "original", skipLayers: [{ part: "ffn", layers: [3] }] };
    const { plan, plans } = await run(() => profile({ block }), { drop: "block", count: 2, plan: base });
    expect(plans[0]).toEqual(base);
    expect(plan).toEqual({ ...base, skipLayers: [...(base.skipLayers ?? []), { part: "block", layers: [6, 7] }] });
  });

  it("iterative measures again without what it has dropped", async () => {
    // Without layer 5, layer 0 turns out to do nothing.
    const measure = (plan: Plan) => profile({ attention: plan.skipLayers ? [0.99, ...attention.slice(1)] : attention });
    const once = await run(measure, { count: 2 });
    const { dropped, plans, progress, table } = await run(measure, { count: 2, iterative: true });
    expect(once.dropped.map(({ layer }) => layer)).toEqual([5, 2]);
    expect(dropped.map(({ layer }) => layer)).toEqual([5, 0]);
    expect(plans.map(({ skipLayers }) => skipLayers?.[0]?.layers)).toEqual([undefined, undefined, [5], [5]]);
    expect(progress.at(-1)).toEqual([4, 4]);
    expect(table[0]?.all.attention.cosine).toBe(0.1);
  });

  it("window takes n layers, not n + 1, in a row", async () => {
    // Between layers 3 and 5 nothing turns; a window one longer would rather have 5, 6 and 7.
    const angles = [0, 0.5, 1, 1.5, 1.5, 1.5, 2.4, 2.5, 2.6];
    const { windows, dropped } = await run(() => profile({}, angles), { drop: "block", count: 2, window: true });
    expect(windows).toHaveLength(7);
    expect(windows?.[0]).toBeCloseTo(1 / Math.PI, 6);
    expect(dropped.map(({ layer }) => layer)).toEqual([3, 4]);
    const all = await run(() => profile({}, angles), { drop: "block", count: 8, window: true });
    expect(all.windows).toHaveLength(1);
    expect(all.dropped).toHaveLength(8);
    const plan: Plan = { skipLayers: [{ part: "attention", layers: [4] }] };
    const around = await run(() => profile({}, angles), { drop: "block", count: 2, window: true, plan });
    expect(around.dropped.map(({ layer }) => layer)).toEqual([6, 7]);
  });

  it.each<[Partial<CalibrateOptions>, string, number?]>([
    [{ drop: "mlp" as "ffn" }, 'drop is "mlp"; expected one of'],
    [{ count: 0 }, "count is 0"],
    [{ count: 1.5 }, "count is 1.5"],
    [{ count: 9 }, "count is 9; this model and plan leave 8"],
    [{ rows: "image" as "text" }, 'rows is "image"'],
    [{ rows: "visual" }, "saw no such rows"],
    [{ window: true }, 'expected drop "block"'],
    [{ drop: "block", window: true, iterative: true }, "no iterative"],
    [{ drop: "block", window: true, count: 3, plan: { skipLayers: [{ part: "ffn", layers: [2, 5] }] } }, "no 3 layers"],
    [{}, "at least one prompt", 0],
    [{ plan: { skipLayers: [{ part: "ffn", layers: [8] }] } }, "Plan, skipLayers[0].layers[0]"],
  ])("refuses %j", async (options, message, nSamples = 1) => {
    await expect(run(() => profile({ attention, block }), options, nSamples)).rejects.toThrow(message);
  });
});

describe("DepthMeans", () => {
  it("weighs prompts by their rows, and ignores kinds that are missing", () => {
    const means = new DepthMeans();
    const layer = (text: RowsDepth, visual: RowsDepth) => ({ ...profile({}), layers: [{ text, visual }] });
    const none = rows(0, Number.NaN, Number.NaN, Number.NaN);
    means.add(layer(rows(1, 0.2, 0, 0), none));
    means.add(layer(rows(2, 0.5, 0, 0), rows(7, 0.9, 0, 0)));
    const [first] = means.table;
    expect(first?.text.rows).toBe(3);
    expect(first?.text.attention.cosine).toBeCloseTo(0.4, 12);
    expect(first?.visual).toMatchObject({ rows: 7, attention: { cosine: 0.9 } });
    expect(first?.all.rows).toBe(10);
    expect(first?.all.attention.cosine).toBeCloseTo(0.75, 12);
  });
});

it("angular distance: a right angle is a half, rows of zeros turn nothing", () => {
  const lastRow = { data: Float32Array.of(1, 0, 0, 2, -3, 0), shape: [3, 2] as [number, number] };
  expect(angularDistances({ layers: [], lastRow }, 1)).toEqual([0.5, 0.5]);
  expect(angularDistances({ layers: [], lastRow }, 2)).toEqual([1]);
  expect(angularDistances({ layers: [], lastRow: { data: new Float32Array(4), shape: [2, 2] } }, 1)).toEqual([0]);
});

describe("readSamples", () => {
  const folder = mkdtempSync(join(tmpdir(), "fovea-samples-"));
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const parts = (sample: { messages: { content: unknown }[] } | undefined) => sample?.messages[0]?.content;

  it("reads lines, with paths from the file's folder", async () => {
    const file = write(
      "q.jsonl",
      '{"image":"a.png","question":"What?","answer":"x"}\n\n{"question":"Why?"}\n{"images":["b.png","/c.png"],"question":"Or?"}\n',
    );
    const samples = await readSamples(file, "unused");
    expect(samples.map(parts)).toEqual([
      [
        { type: "image", image: join(folder, "a.png") },
        { type: "text", text: "What?" },
      ],
      [{ type: "text", text: "Why?" }],
      [
        { type: "image", image: join(folder, "b.png") },
        { type: "image", image: "/c.png" },
        { type: "text", text: "Or?" },
      ],
    ]);
    expect(await readSamples(file, "unused", 1)).toHaveLength(1);
  });

  it("reads the pictures of a folder by name", async () => {
    write("b.PNG", "");
    write("a.jpeg", "");
    const samples = await readSamples(folder, "What is it?");
    expect(samples.map(parts)).toEqual([
      [
        { type: "image", image: join(folder, "a.jpeg") },
        { type: "text", text: "What is it?" },
      ],
      [
        { type: "image", image: join(folder, "b.PNG") },
        { type: "text", text: "What is it?" },
      ],
    ]);
  });

  it.each([
    ["{", "line 1: expected a JSON object"],
    ["[]", "line 1: expected a JSON object"],
    ['\n{"image":"a.png"}', 'line 2: "question" must be a text'],
    ['{"image":1,"question":"?"}', '"image" must be a path'],
    ['{"images":"a.png","question":"?"}', '"images" a list of paths'],
    ["\n", "has no lines"],
  ])("refuses %j", async (text, message) => {
    await expect(readSamples(write("bad.jsonl", text), "?")).rejects.toThrow(message);
  });

  it("names a file that is not there", async () => {
    await expect(readSamples(join(folder, "none"), "?")).rejects.toMatchObject({ code: "ERR_FOVEA_INVALID_ARGUMENT" });
  });
});
