import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseBudgetSpec } from "../../lib/prune/budget/budget.js";
import type { PromptShape } from "../../lib/prune/budget/cost-facts.js";
import type { CostModel } from "../../lib/prune/budget/cost-model.js";
import { planCosts } from "../../lib/prune/budget/plan-costs.js";
import { predictRows } from "../../lib/prune/budget/predict-rows.js";
import { planSolver } from "../../lib/prune/budget/solve-plan.js";
import type { PlanStage } from "../../lib/prune/plan.js";
import { presets } from "../../lib/prune/presets.js";
import { stageAtShare } from "../../lib/prune/stage-at-share.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { llava7b } from "./cost-facts.js";

const prompt: PromptShape = { textRows: 45, images: [576] };
const model: CostModel = {
  encode: { fixed: 5, slope: 0 },
  prefill: { fixed: 10, slope: 1e-10 },
  select: { divPrune: { fixed: 0, slope: 1e-4 } },
};
const noCosts = () => Promise.reject(new Error("nobody needs milliseconds here"));

async function solve(plan: unknown, shape = prompt) {
  const { budget } = await planSolver(plan, llava7b)(shape, noCosts);
  if (budget === undefined) throw new Error("the plan has no budget");
  return budget;
}

describe("a budget", () => {
  it.each<[string, PlanStage[], object]>([
    ["rows", [{ method: "divPrune" }], { rows: 144 }],
    ["ratio", [{ method: "divPrune" }], { ratio: 0.25 }],
  ])("in %s of a stage before the decoder is what it keeps", async (_, stages, budget) => {
    const solved = await solve({ stages, budget });
    expect(solved.predicted).toMatchObject({ rows: 144, ratio: 0.25 });
    expect(solved.asked).toEqual(budget);
    expect(solved.plan).toEqual({ stages: [{ method: "divPrune", keep: solved.share }] });
  });

  it("of a stage that drops every row is the layer where it does", async () => {
    const solved = await solve({ stages: [{ method: "vtw" }], budget: { ratio: 0.4 } });
    expect(solved.plan).toEqual({ stages: [{ method: "vtw", layer: 12 }] });
    expect(solved.predicted.ratio).toBe(12 / 32);
  });

  it("of FLOPs is a share of the unpruned prompt's up to 1, a number above", async () => {
    const stages = [{ method: "pyramidDrop" }];
    const unpruned = (await solve({ stages, budget: { flops: 1 } })).predicted;
    expect(unpruned.ratio).toBe(1);
    const half = (await solve({ stages, budget: { flops: 0.5 } })).predicted;
    expect(half.macs / unpruned.macs).toBeLessThanOrEqual(0.5);
    expect(half.macs / unpruned.macs).toBeGreaterThan(0.495);
    expect((await solve({ stages, budget: { flops: unpruned.macs / 2 } })).predicted).toEqual(half);
  });

  it("of milliseconds asks for costs that know the stages", async () => {
    const asked: (readonly PlanStage[])[] = [];
    const costs = async (stages: readonly PlanStage[]) => {
      asked.push(stages);
      return model;
    };
    const stages = [{ method: "divPrune" }];
    const { budget } = await planSolver({ stages, budget: { ms: 200 } }, llava7b)(prompt, costs);
    expect(asked).toEqual([stages]);
    expect(budget?.predicted.ms).toBeLessThanOrEqual(200);
    expect(budget?.predicted.ms).toBeGreaterThan(198);
  });

  it("sets every free stage to one share and leaves the others, order and everything else alone", async () => {
    const plan = {
      positions: "original",
      stages: [
        { method: "random", count: 300, layer: 4 },
        { method: "divPrune" },
        { method: "pyramidDrop", layers: [8, 16] },
      ],
      skipLayers: [{ part: "ffn", layers: [30] }],
      budget: { kvBytes: 1e8 },
    };
    const { plan: solved, share, predicted } = await solve(plan);
    expect(solved).toEqual({
      positions: "original",
      stages: [
        { method: "random", count: 300, layer: 4 },
        { method: "divPrune", keep: share },
        stageAtShare({ method: "pyramidDrop", layers: [8, 16] }, share, llava7b),
      ],
      skipLayers: [{ part: "ffn", layers: [30] }],
    });
    expect(predicted.kvBytes).toBeLessThanOrEqual(1e8);
  });

  it("is met, and one step more would not meet it", async () => {
    const shape = fc.record({
      textRows: fc.integer({ min: 1, max: 200 }),
      images: fc.array(fc.integer({ min: 1, max: 576 }), { minLength: 1, maxLength: 3 }),
    });
    const method = fc.constantFrom("divPrune", "uniform");
    await fc.assert(
      fc.asyncProperty(
        shape,
        method,
        fc.double({ min: 0.45, max: 0.999, noNaN: true }),
        async (images, name, ratio) => {
          const costs = (share: number) => {
            const plan = { stages: [{ method: name, keep: share }] };
            return planCosts(predictRows(lowerPlan(plan, llava7b), images, llava7b), images, llava7b);
          };
          const limit = costs(1).kvBytes * ratio;
          const least = costs(1e-4).kvBytes;
          fc.pre(least <= limit);
          const { share, predicted } = await solve({ stages: [{ method: name }], budget: { kvBytes: limit } }, images);
          expect(predicted.kvBytes).toBeLessThanOrEqual(limit);
          expect(costs((Math.round(share * 1e4) + 1) / 1e4).kvBytes).toBeGreaterThan(limit);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("that nothing has to be dropped for keeps every row; a prompt without images has nothing to drop", async () => {
    const plan = { stages: [{ method: "divPrune" }], budget: { kvBytes: 1e12 } };
    expect((await solve(plan)).share).toBe(1);
    const tight = { stages: [{ method: "divPrune" }], budget: { kvBytes: 1 } };
    expect((await solve(tight, { textRows: 9, images: [] })).share).toBe(1);
  });

  it.each([
    [{ kvBytes: 1 }, "divPrune", /budget\.kvBytes: got 1, expected at least 48300000, which/], // 46 rows
    [{ ratio: 0.02 }, "pyramidDrop", /budget\.ratio: got 0\.02, expected at least 0\.03\d+, which/],
    [{ flops: 0.01 }, "divPrune", /budget\.flops: got 0\.01, expected at least 0\.1\d+, which/],
  ])("that cannot be met names the least: %j", async (budget, method, message) => {
    await expect(solve({ stages: [{ method }], budget })).rejects.toThrow(message);
  });

  it.each([
    [{ budget: { ratio: 0.5 } }, /budget: .*expected a stage that does not/],
    [{ stages: [{ method: "divPrune", keep: 0.5 }], budget: { ratio: 0.5 } }, /expected a stage that does not/],
    [{ stages: [{ method: "divPrune" }], budget: 40 }, /budget: got 40, expected an object with one of rows, ratio/],
    [{ stages: [{ method: "divPrune" }], budget: {} }, /budget: got \[\], expected an object/],
    [{ stages: [{ method: "divPrune" }], budget: { ms: 4, rows: 2 } }, /budget: got \["ms", "rows"\]/],
    [{ stages: [{ method: "divPrune" }], budget: { flop: 4 } }, /one of: rows.*Did you mean "flops"/],
    [{ stages: [{ method: "divPrune" }], budget: { ratio: 1.5 } }, /budget\.ratio: got 1\.5/],
    [{ stages: [{ method: "divPrune" }], budget: { ms: -1 } }, /budget\.ms: got -1/],
    [{ stages: [{ method: "divPrune" }], budget: { rows: Number.NaN } }, /budget\.rows: got NaN/],
    [{ stages: [{ method: "divPrun" }], budget: { rows: 4 } }, /Did you mean "divPrune"/],
    [{ stages: "divPrune", budget: { rows: 4 } }, /stages: got "divPrune"/],
    [{ stages: [{ method: "divPrune", layer: 3 }], budget: { rows: 4 } }, /"layer", expected an option of divPrune/],
    [{ stages: [{ method: "divPrune" }], budget: { rows: 4 }, skip: [] }, /top level: got "skip"/],
  ])("that makes no sense is refused before there is a prompt: %j", (plan, message) => {
    expect(() => planSolver(plan, llava7b)).toThrow(message);
  });

  it("cannot be lowered without a prompt", () => {
    expect(() => lowerPlan({ stages: [{ method: "divPrune" }], budget: { ratio: 0.5 } }, llava7b)).toThrow(
      /budget: got an object, expected a plan without one/,
    );
  });

  it("has a short form", () => {
    expect(parseBudgetSpec("ms=40")).toEqual({ ms: 40 });
    expect(parseBudgetSpec(" ratio = 0.25 ")).toEqual({ ratio: 0.25 });
    for (const text of ["ms", "ms=", "ms=x", "ms=1=2", "ratio=2", "cost=3"])
      expect(() => parseBudgetSpec(text)).toThrow();
  });
});

describe("presets", () => {
  it.each(Object.entries(presets))("%s is a plan of any model, with its reasons", async (name, { doc, plan }) => {
    expect(doc.length).toBeGreaterThan(80);
    for (const nLayers of [4, 8, 32, 80]) {
      const facts = { ...llava7b, nLayers };
      const { lowered, budget } = await planSolver(name, facts)(prompt, noCosts);
      expect(lowered).toEqual(lowerPlan(plan, facts));
      expect(lowered.stages.length).toBeGreaterThan(0);
      expect(budget).toBeUndefined();
    }
  });

  it("cost less the faster they are", () => {
    const macs = (["fast", "balanced", "careful"] as const).map((name) => {
      const rows = predictRows(lowerPlan(presets[name].plan, llava7b), prompt, llava7b);
      return planCosts(rows, prompt, llava7b).macs;
    });
    expect(macs).toEqual([...macs].sort((a, b) => a - b));
  });

  it("careful: every layer of the first half sees every row", () => {
    const rows = predictRows(lowerPlan("careful", llava7b), prompt, llava7b);
    expect(rows.visual.slice(0, 16)).toEqual(Array(16).fill(576));
  });

  it("another name is not a plan", () => {
    expect(() => planSolver("quick", llava7b)).toThrow(/got "quick", expected an object .* or the name of a preset/);
  });
});
