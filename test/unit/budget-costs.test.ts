import { describe, expect, it } from "vitest";
import { allocate } from "../../lib/prune/budget/allocate.js";
import type { CostFacts, PromptShape } from "../../lib/prune/budget/cost-facts.js";
import { predictMs } from "../../lib/prune/budget/cost-model.js";
import { fitLine } from "../../lib/prune/budget/fit-line.js";
import { planCosts } from "../../lib/prune/budget/plan-costs.js";
import { predictRows } from "../../lib/prune/budget/predict-rows.js";
import { workOf } from "../../lib/prune/budget/work.js";
import type { LoweredPlan, Plan, RowStage } from "../../lib/prune/plan.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { llava7b } from "./cost-facts.js";

const small: CostFacts = {
  nLayers: 4,
  dModel: 2,
  nHeads: 2,
  nKvHeads: 1,
  dHead: 3,
  dFf: 5,
  vocabSize: 7,
  contextLength: 100,
  imageRows: 4,
  projectorMacsPerRow: 11,
  tower: { nLayers: 2, dModel: 3, dFf: 4, rows: 5, imageSize: 4, patchSize: 2, hasClassRow: true, isPrunable: true },
};
const prompt: PromptShape = { textRows: 3, images: [4] };

function trace(plan: Plan, shape = prompt, facts = small) {
  return predictRows(lowerPlan(plan, facts), shape, facts);
}

it("every tile of a picture runs through the tower whole, its rows are counted once arranged", () => {
  const { tower, projected, visual } = trace({}, { textRows: 3, images: [11, 5], tiles: [3, 1] });
  expect(tower).toEqual(Array(4).fill(Array(2).fill({ attention: 5, ffn: 5 })));
  expect(projected).toBe(4 * 4);
  expect(visual).toEqual([16, 16, 16, 16]);
});

/** A stage of the tower or the decoder, as a method would lower to it. */
function keep(place: Pick<RowStage, "hook" | "layer">, ratio: number): RowStage {
  const steps: RowStage["steps"] = [
    { do: "select", by: "uniform", keep: { ratio, of: "stage", rounding: "trunc" }, to: "kept" },
    { do: "gather", rows: "kept" },
  ];
  return { name: "keep", ...place, steps };
}

describe("rows of a budget", () => {
  it.each([
    [{ ratio: 0.5, of: "stage", rounding: "trunc" }, 7, 7, 3],
    [{ ratio: 0.5, of: "stage", rounding: "half-even" }, 7, 7, 4],
    [{ ratio: 0.5, of: "stage", rounding: "half-even" }, 5, 5, 2],
    [{ ratio: 0.5, of: "stage", rounding: "half-even" }, 3, 3, 2],
    [{ ratio: 0.25, of: "decoder", rounding: "trunc" }, 10, 32, 8],
    [{ ratio: 0.5, of: "decoder", rounding: "trunc" }, 10, 32, 10],
    [{ ratio: 0.001, of: "stage", rounding: "trunc" }, 10, 10, 1],
    [{ ratio: 0.5, of: "stage", rounding: "half-up" }, 5, 5, 3],
    [{ ratio: 0.3, of: "stage", rounding: "half-up" }, 8, 8, 2],
    [{ ratio: 0.3, of: "stage", rounding: "ceil" }, 8, 8, 3],
    [{ ratio: 0.07, of: "stage", rounding: "ceil" }, 100, 100, 7],
    [{ ratio: 0.5, of: "stage", rounding: "drop-half-even" }, 5, 5, 3],
    [{ ratio: 0.5, of: "stage", rounding: "drop-half-even" }, 7, 7, 3],
    [{ ratio: 0.5, of: "stage", rounding: "half-even", share: 0.5 }, 7, 7, 2],
    [{ ratio: 0.5, of: "stage", rounding: "trunc", share: 0.1 }, 7, 7, 0],
    [{ count: 6, of: "stage", rounding: "trunc" }, 10, 10, 6],
    [{ count: 16, of: "stage", rounding: "trunc" }, 10, 10, 10],
    [{ count: 6, of: "stage", rounding: "trunc" }, 0, 0, 0],
  ] as const)("%j of %i rows, %i of which entered the decoder: %i", (budget, rows, decoderRows, expected) => {
    expect(allocate(budget, rows, decoderRows)).toBe(expected);
  });
});

describe("predicted rows", () => {
  it("without a plan: all of them, the class row in the tower, text in the decoder", () => {
    const rows = trace({});
    expect(rows.tower).toEqual([
      [
        { attention: 5, ffn: 5 },
        { attention: 5, ffn: 5 },
      ],
    ]);
    expect(rows.projected).toBe(4);
    expect(rows.visual).toEqual([4, 4, 4, 4]);
    expect(rows.decoder).toEqual(Array(4).fill({ attention: 7, ffn: 7 }));
  });

  it("are gone for the projector after a stage at the tower's output", () => {
    const rows = predictRows(
      { positions: "compact", stages: [keep({ hook: "vision-out" }, 0.5)], skip: [] },
      { textRows: 3, images: [4, 4] },
      small,
    );
    expect(rows.tower[0]).toEqual(Array(2).fill({ attention: 5, ffn: 5 }));
    expect(rows.projected).toBe(4);
    expect(rows.visual).toEqual([4, 4, 4, 4]);
    expect(rows.stages).toEqual([{ name: "keep", rowsIn: 8, pairs: 16 }]);
  });

  it("add up over choices that complete each other, and quotas", () => {
    const of = (plan: Plan) => trace(plan, { textRows: 3, images: [40] }, { ...small, imageRows: 40 }).visual[0];
    expect(of({ stages: [{ method: "visPruner", keep: 0.5 }] })).toBe(20);
    expect(of({ stages: [{ method: "visionZip", keep: 0.5 }] })).toBe(20);
    expect(of({ stages: [{ method: "hiRed", keep: 0.5 }] })).toBe(20);
    expect(of({ stages: [{ method: "holoV", keep: 0.25 }] })).toBe(10);
    expect(of({ stages: [{ method: "pruMerge", keep: 0.25 }] })).toBe(11);
    expect(of({ stages: [{ method: "pruMerge", keep: 0.25, plus: true }] })).toBe(11);
    expect(of({ stages: [{ method: "pruMerge", keep: 1 }] })).toBe(40);
    expect(() => of({ stages: [{ method: "pruMerge" }] })).toThrow(/the picture decides/);
    // 20 stay; of the 20 that go 6 are recycled into 1.
    const recycled = { method: "sparseVlm", layers: [1], keep: [0.5], recycle: true };
    expect(trace({ stages: [recycled] }, { textRows: 3, images: [40] }).visual).toEqual([40, 21, 21, 21]);
  });

  it("follow stages of the decoder per image, and leave out skipped halves", () => {
    const plan: Plan = {
      stages: [
        { method: "divPrune", keep: 0.5 },
        { method: "pyramidDrop", layers: [1, 3], keep: [0.6, 0.2] },
      ],
      skipLayers: [
        { part: "attention", layers: [2] },
        { part: "ffn", layers: [0], phase: "decode" },
      ],
    };
    const rows = trace(plan, { textRows: 3, images: [10, 20] });
    // 5 and 10 enter; 3 and 6; 1 and 2
    expect(rows.visual).toEqual([15, 9, 9, 3]);
    expect(rows.decoder).toEqual([
      { attention: 18, ffn: 18 },
      { attention: 12, ffn: 12 },
      { attention: 0, ffn: 12 },
      { attention: 6, ffn: 6 },
    ]);
    expect(rows.stages).toEqual([
      { name: "divPrune", rowsIn: 30, pairs: 10 * 5 + 20 * 10 },
      { name: "pyramidDrop", rowsIn: 15, pairs: 5 * 3 + 10 * 6 },
      { name: "pyramidDrop", rowsIn: 9, pairs: 3 * 1 + 6 * 2 },
    ]);
  });

  it("inside the tower rows leave between attention and FFN", () => {
    const plan: LoweredPlan = {
      positions: "compact",
      stages: [keep({ hook: "vision-layer", layer: 0 }, 0.5), keep({ hook: "decoder-layer", layer: 2 }, 0.5)],
      skip: [],
    };
    const rows = predictRows(plan, prompt, small);
    expect(rows.tower).toEqual([
      [
        { attention: 5, ffn: 3 },
        { attention: 3, ffn: 3 },
      ],
    ]);
    expect([rows.projected, rows.visual]).toEqual([2, [2, 2, 1, 1]]);
  });

  it("are refused where the picture decides", () => {
    const stage = keep({ hook: "projected" }, 0.5);
    const plan: LoweredPlan = {
      positions: "compact",
      stages: [{ ...stage, steps: [{ do: "gather", rows: "those alike" }] }],
      skip: [],
    };
    expect(() => predictRows(plan, prompt, small)).toThrow(/keep a number of rows.*How many keep keeps, the picture/);
  });
});

describe("work", () => {
  it("counts every product once, attention causally in the decoder", () => {
    const { encode, prefill } = workOf(trace({}), small);
    const tower = 4 * 5 * 3 ** 2 + 2 * 5 ** 2 * 3 + 2 * 5 * 3 * 4;
    expect(encode).toBe(4 * (3 * 2 ** 2) * 3 + 2 * tower + 4 * 11);
    const qkvo = 7 * 2 * 3 * (2 + 1 + 1 + 2);
    const causal = ((7 * 8) / 2) * 2 * 2 * 3; // scores and values, 2 heads of 3
    expect(prefill).toBe(4 * (qkvo + causal + 3 * 7 * 2 * 5) + 2 * 7);
  });

  it("LLaVA-1.5-7B: about a multiply-accumulate per parameter and row", () => {
    const shape = { textRows: 45, images: [576] };
    const { encode, prefill } = workOf(trace({}, shape, llava7b), llava7b);
    expect(prefill / 621).toBeGreaterThan(6.47e9); // parameters of the layers
    expect(prefill / 621).toBeLessThan(6.7e9);
    expect(encode / 577).toBeGreaterThan(0.29e9); // 23 layers of CLIP-L and the projector
    expect(encode / 577).toBeLessThan(0.36e9);
  });
});

describe("costs of a prompt", () => {
  it("are means over layers, bytes of f32 keys and values, and milliseconds by a model", () => {
    const plan: Plan = {
      stages: [{ method: "uniform", keep: 0.5, layer: 2 }],
      skipLayers: [{ part: "attention", layers: [0] }],
    };
    const model = {
      encode: { fixed: 1, slope: 0 },
      prefill: { fixed: 2, slope: 0 },
      select: { uniform: { fixed: 10, slope: 100 } },
    };
    const costs = planCosts(trace(plan), prompt, small, model);
    expect(costs).toMatchObject({ rows: 3, ratio: 0.75, ms: 1 + 2 + 10 * 4 + 100 * 8 });
    expect(costs.kvBytes).toBe((7 + 5 + 5) * 2 * 3 * 4);
    expect(planCosts(trace(plan), prompt, small)).not.toHaveProperty("ms");
  });

  it("without an image nothing is encoded", () => {
    const text = { textRows: 3, images: [] };
    const rows = trace({}, text);
    expect(planCosts(rows, text, small)).toMatchObject({ rows: 0, ratio: 1 });
    const line = { fixed: 5, slope: 1 };
    const ms = predictMs({ encode: line, prefill: line, select: {} }, workOf(rows, small), rows);
    expect(ms).toBe(5 + workOf(rows, small).prefill);
  });
});

describe("fitLine", () => {
  it("goes through points of a line, whatever one of them does", () => {
    const points = [1, 2, 3, 4, 5].map((x) => ({ x, y: 3 + 2 * x }));
    expect(fitLine(points)).toEqual({ slope: 2, fixed: 3 });
    const disturbed = points.map((point, i) => (i === 3 ? { ...point, y: 1000 } : point));
    expect(fitLine(disturbed)).toEqual({ slope: 2, fixed: 3 });
  });

  it("never falls, never begins below 0; one point is a constant, none is nothing", () => {
    expect(fitLine([1, 2, 3].map((x) => ({ x, y: 10 - x })))).toEqual({ slope: 0, fixed: 8 });
    expect(fitLine([1, 2, 3].map((x) => ({ x, y: 2 * x - 1 })))).toEqual({ slope: 2, fixed: 0 });
    expect(fitLine([{ x: 4, y: 7 }])).toEqual({ slope: 0, fixed: 7 });
    expect(fitLine([])).toEqual({ slope: 0, fixed: 0 });
  });
});
