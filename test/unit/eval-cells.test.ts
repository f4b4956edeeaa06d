import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gridCells } from "../../lib/eval/index.js";
import { meanShare } from "../../lib/prune/mean-share.js";
import type { PlanStage, RowStage } from "../../lib/prune/plan.js";
import { methods } from "../../lib/prune/registry.js";
import { stageAtShare } from "../../lib/prune/stage-at-share.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { planFacts } from "./plan-facts.js";

/** The mean share that a stage leaves in a decoder of so many layers. */
function left(stage: PlanStage, nLayers: number): number | undefined {
  return meanShare(lowerPlan({ stages: [stage] }, planFacts(nLayers)).stages, nLayers);
}

describe("meanShare", () => {
  it("PyramidDrop's own budget: (1 + 1/2 + 1/4 + 1/8) / 4", () => {
    expect(left({ method: "pyramidDrop" }, 32)).toBeCloseTo(0.46875, 12);
  });

  it("stages chain; a share of the decoder's rows never brings rows back", () => {
    const stages: PlanStage[] = [
      { method: "uniform", keep: 0.5 },
      { method: "uniform", keep: 0.5, layer: 2 },
      { method: "pyramidDrop", layers: [4, 6], keep: [0.8, 0.2] },
    ];
    // 0.5, then 0.25, where 0.8 of the decoder's 0.5 would be more, then 0.1
    const expected = (2 * 0.5 + 2 * 0.25 + 2 * 0.25 + 2 * 0.1) / 8;
    expect(meanShare(lowerPlan({ stages }, planFacts(8)).stages, 8)).toBeCloseTo(expected, 12);
  });

  it("is unknown when steps do not say a share, unless one is given for them", () => {
    expect(left({ method: "uniform", count: 7 }, 8)).toBeUndefined();
    const { stages } = lowerPlan({ stages: [{ method: "uniform", count: 7, layer: 4 }] }, planFacts(8));
    expect(meanShare(stages, 8, 0.5)).toBeCloseTo(0.75, 12);
  });

  it("rows that leave in the tower are gone before layer 0, whichever of its layers drops them", () => {
    const [stage] = lowerPlan({ stages: [{ method: "uniform", keep: 0.5 }] }, planFacts(8)).stages;
    const tower = { ...(stage as RowStage), hook: "vision-layer" as const, layer: 5 };
    expect(meanShare([tower, tower], 8)).toBe(0.25);
  });
});

describe("stageAtShare", () => {
  it("before the decoder the share is the ratio itself", () => {
    expect(stageAtShare({ method: "divPrune" }, 0.25, planFacts(8))).toEqual({ method: "divPrune", keep: 0.25 });
  });

  it("inside the decoder the ratio makes up for the layers before", () => {
    const stage = stageAtShare({ method: "uniform", layer: 2 }, 0.4, planFacts(8));
    expect(stage.keep).toBeCloseTo(0.2, 6); // (2 + 6 * 0.2) / 8
  });

  it("PyramidDrop keeps its boundaries where its steps are like the paper's, and moves up where they must", () => {
    const half = stageAtShare({ method: "pyramidDrop" }, 0.46875, planFacts(32));
    expect(half.layers).toEqual([8, 16, 24]);
    expect(half.lambda).toBeCloseTo(0.5, 6);
    expect(stageAtShare({ method: "pyramidDrop" }, 1 / 3, planFacts(32)).layers).toEqual([4, 8, 12]);
    expect(stageAtShare({ method: "pyramidDrop", layers: [4] }, 0.75, planFacts(8))).toMatchObject({ layers: [4] });
  });

  it("vtw leaves at the layer whose mean share is nearest, the lower of two", () => {
    const layerAt = (share: number, nLayers: number) =>
      stageAtShare({ method: "vtw" }, share, planFacts(nLayers)).layer;
    expect([0.5, 0.25, 0.125, 0.1].map((share) => layerAt(share, 8))).toEqual([4, 2, 1, 1]);
    expect([0.3, 0.32, 5 / 16].map((share) => layerAt(share, 8))).toEqual([2, 3, 2]);
    expect([1, 0.97].map((share) => layerAt(share, 8))).toEqual([7, 7]);
    expect(layerAt(15 / 32, 32)).toBe(15);
  });

  it("a schedule at its own mean is the published one", () => {
    const sparse = stageAtShare({ method: "sparseVlm" }, left({ method: "sparseVlm" }, 32) as number, planFacts(32));
    expect(sparse.layers).toEqual([3, 7, 16]);
    expect((sparse.keep as number[]).map((ratio) => Math.round(ratio * 576))).toEqual([300, 200, 118]);
    const change = stageAtShare({ method: "v2Drop" }, (3 + 14 / 2 + 5 / 4 + 10 / 576) / 32, planFacts(32));
    expect(change.layers).toEqual([3, 17, 22]);
    expect(change.keep).toEqual([0.5, 0.5, 1 / 144].map((ratio) => expect.closeTo(ratio, 6)));
    const own = stageAtShare({ method: "v2Drop", layers: [2, 5] }, 0.5, planFacts(8));
    expect(own).toMatchObject({ layers: [2, 5], keep: [expect.closeTo(0.45743, 4), expect.closeTo(0.45743, 4)] });
  });

  it("every share that is reached is exact, for any depth", () => {
    const share = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        share,
        fc.integer({ min: 2, max: 80 }),
        fc.constantFrom("divPrune", "pyramidDrop", "sparseVlm", "v2Drop"),
        (wanted, nLayers, method) => {
          const first = method === "pyramidDrop" ? 1 : Math.max(1, Math.round((3 * nLayers) / 32));
          fc.pre(method === "divPrune" || wanted > first / nLayers + 1e-3);
          expect(left(stageAtShare({ method }, wanted, planFacts(nLayers)), nLayers)).toBeCloseTo(wanted, 5);
        },
      ),
    );
  });

  it.each([
    [{ method: "pyramidDrop" }, 0.125, /got 0\.125, expected a share above 0\.125/],
    [{ method: "pyramidDrop", layers: [4, 6] }, 0.4, /expected a share above 0\.500/],
    [{ method: "uniform", layer: 4 }, 0.5, /expected a share above 0\.500/],
    [{ method: "sparseVlm" }, 0.125, /got 0\.125, expected a share above 0\.125/],
    [{ method: "v2Drop", layers: [4, 6] }, 0.5, /expected a share above 0\.500/],
    [{ method: "v2Drop", layers: "2" }, 0.5, /layers: got "2"/],
    [{ method: "sparseVlm", layers: [2, 3, 4, 5] }, 0.5, /keep: .*4 ratios/],
    [{ method: "vtw" }, 0.0625, /a share above 0\.0625: rows can leave behind the first of 8 layers/],
    [{ method: "pyramidDrop", layers: "2" }, 0.5, /layers: got "2"/],
    [{ method: "divPrune" }, 0, /a share of the rows above 0/],
    [{ method: "divPrun" }, 0.5, /Did you mean "divPrune"/],
    [{ method: "uniform", colour: 3 }, 0.5, /colour/],
  ])("%j at %d is refused", (stage, share, message) => {
    expect(() => stageAtShare(stage, share, planFacts(8))).toThrow(message);
  });
});

describe("gridCells", () => {
  it.each([...methods.keys()])("%s can be given half of the rows, or says why not", (method) => {
    const { cells, skipped } = gridCells([{ method }], [0.5], planFacts(8));
    expect(cells.length + skipped.length).toBe(1);
    for (const { plan } of cells) expect(lowerPlan(plan, planFacts(8)).stages).not.toEqual([]);
    for (const { reason } of skipped) expect(reason).toContain(method);
  });

  it("methods times shares; what cannot be is skipped with the reason; a budget of one's own is one cell", () => {
    const { cells, skipped } = gridCells(
      [
        { method: "random", seed: 3 },
        { method: "pyramidDrop" },
        { method: "divPrune", keep: 0.3 },
        { method: "vtw", layer: 3 },
      ],
      [0.5, 0.062],
      planFacts(8),
    );
    expect(cells.map(({ name, line, share }) => [name, line, share])).toEqual([
      ["random:seed=3 50 %", "random:seed=3", 0.5],
      ["random:seed=3 6.2 %", "random:seed=3", 0.062],
      ["pyramidDrop 50 %", "pyramidDrop", 0.5],
      ["divPrune:keep=0.3", "divPrune:keep=0.3", undefined],
      ["vtw:layer=3", "vtw:layer=3", undefined],
    ]);
    expect(cells[0]?.plan).toEqual({ stages: [{ method: "random", seed: 3, keep: 0.5 }] });
    expect(skipped).toEqual([
      { name: "pyramidDrop 6.2 %", reason: expect.stringContaining("expected a share above 0.125") },
    ]);
  });
});
