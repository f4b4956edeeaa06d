import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { PlanStage } from "../../lib/prune/plan.js";
import type { Step } from "../../lib/prune/step.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { planFacts } from "./plan-facts.js";

function lower(stage: PlanStage, nLayers = 32) {
  return lowerPlan({ stages: [stage] }, planFacts(nLayers)).stages;
}

function layers(stage: PlanStage, nLayers = 32) {
  return lower(stage, nLayers).map(({ layer }) => layer);
}

function budgets(stage: PlanStage, nLayers = 32) {
  return lower(stage, nLayers).map(({ steps }) => steps.flatMap((step) => ("keep" in step ? [step.keep] : []))[0]);
}

function step(stage: PlanStage, kind: Step["do"], nLayers = 32) {
  return lower(stage, nLayers)[0]?.steps.find((found) => found.do === kind);
}

describe("methods inside the decoder", () => {
  it("fastV: layer 2 of any depth, by the attention of the layer before", () => {
    expect(layers({ method: "fastV" })).toEqual([2]);
    expect(layers({ method: "fastV" }, 8)).toEqual([2]);
    expect(layers({ method: "fastV" }, 2)).toEqual([1]);
    expect(step({ method: "fastV", layer: 5, rope: false }, "probe")).toMatchObject({ layer: 4, rope: false });
    expect(step({ method: "fastV" }, "probe")).toMatchObject({ layer: 1, rope: true, queries: "last" });
    expect(budgets({ method: "fastV", count: 7 })).toEqual([{ count: 7, of: "stage", rounding: "half-even" }]);
  });

  it("feather: a grid at the first layer only, the ratio squared at the second", () => {
    expect(layers({ method: "feather" })).toEqual([8, 16]);
    expect(layers({ method: "feather" }, 8)).toEqual([2, 4]);
    expect(budgets({ method: "feather" }).map((keep) => keep?.ratio)).toEqual([0.3, 0.3 ** 2]);
    const [first, second] = lower({ method: "feather" });
    expect(first?.steps.find((s) => s.do === "select" && s.by === "grid")).toMatchObject({ stride: 3 });
    expect(second?.steps.some((s) => s.do === "select" && s.by === "grid")).toBe(false);
  });

  it("v2Drop, sparseVlm, atp, vtw: the same shares of another depth", () => {
    expect(layers({ method: "v2Drop" })).toEqual([3, 17, 22]);
    expect(layers({ method: "v2Drop" }, 8)).toEqual([1, 4, 6]);
    expect(layers({ method: "sparseVlm" })).toEqual([3, 7, 16]);
    expect(layers({ method: "atp", heads: "x" }, 40)).toEqual([5, 18, 30]);
    expect(layers({ method: "vtw" })).toEqual([15]);
    expect(layers({ method: "vScan2" }, 28)).toEqual([14]);
    expect(budgets({ method: "v2Drop" })).toMatchObject([{ ratio: 0.5 }, { ratio: 0.5 }, { count: 1 }]);
    expect(budgets({ method: "sparseVlm" }).map((keep) => Math.round(576 * (keep?.ratio as number)))).toEqual([
      300, 200, 118,
    ]);
  });

  it("lists that do not fit each other are refused", () => {
    for (const method of ["v2Drop", "sparseVlm"]) {
      expect(() => lower({ method, layers: [2, 3], keep: [0.5] })).toThrow(/keep: .*2 ratios/);
    }
    expect(() => lower({ method: "v2Drop", layers: [2, 3, 4, 5] })).toThrow(/keep: .*4 ratios/);
  });

  it("pMod: the rows of 576 that the released code counts, and no layer before the schedule's most", () => {
    const stages = lower({ method: "pMod", routers: "x" });
    expect(stages.map(({ layer }) => layer)).toEqual(Array.from({ length: 24 }, (_, i) => i + 8));
    expect(budgets({ method: "pMod", routers: "x" }).map((keep) => Math.trunc(576 * (keep?.ratio as number)))).toEqual([
      486, 464, 440, 414, 388, 360, 331, 302, 273, 244, 215, 187, 161, 135, 111, 89, 86, 86, 86, 86, 86, 86, 86, 86,
    ]);
    expect(layers({ method: "pMod", routers: "x", period: 100 })[0]).toBe(26);
  });

  it("dyVte: a gate behind every layer but the last", () => {
    const stages = lower({ method: "dyVte", gates: "gates.safetensors" }, 4);
    expect(stages.map(({ layer }) => layer)).toEqual([1, 2, 3]);
    expect(stages[2]?.steps[0]).toMatchObject({
      file: resolve("gates.safetensors"),
      weights: ["model.visual_gates_router.2.w1.weight", "model.visual_gates_router.2.w2.weight"],
    });
  });

  it("files must be named", () => {
    expect(() => lower({ method: "dyVte" })).toThrow(/options gates/);
    expect(() => lower({ method: "pMod", routers: 3 })).toThrow(/routers: got 3, expected the path/);
    expect(() => lower({ method: "atp", heads: "" })).toThrow(/heads: got "", expected the path/);
  });

  it("compressText: over text, and special tokens stay", () => {
    const facts = { ...planFacts(32), specialTokens: [0, 2] };
    const [stage] = lowerPlan({ stages: [{ method: "compressText", keep: 0.3 }] }, facts).stages;
    expect(stage).toMatchObject({ over: "text", layer: 8 });
    expect(stage?.steps.find((s) => s.do === "select" && s.by === "tokens")).toMatchObject({ ids: [0, 2] });
  });

  it("turboText: in each layer from a quarter of the depth on, the same share of each stretch", () => {
    const stages = lowerPlan({ stages: [{ method: "turboText", keep: 0.25 }] }, planFacts(8)).stages;
    expect(stages.map(({ layer }) => layer)).toEqual([2, 3, 4, 5, 6, 7]);
    const kept = stages.map(({ steps }) => steps.flatMap((step) => ("keep" in step ? [step.keep.ratio] : [])));
    expect(kept[2]).toEqual([0.5]);
    expect(kept[5]).toEqual([0.25]);
    expect(() => lower({ method: "turboText", keep: 0.001, layer: 1 })).not.toThrow();
    expect(() => lowerPlan({ stages: [{ method: "turboText", keep: 0.01 }] }, planFacts(8))).toThrow(
      /keep: got 0.01, expected at least 0.015625: each of the 6 layers that merge halves at most/,
    );
  });

  it("positions are the method's own unless the plan says which", () => {
    expect(lower({ method: "fastV" })[0]).toHaveProperty("positions", "original");
    expect(lower({ method: "vScan2" })[0]).not.toHaveProperty("positions");
    const stages = [{ method: "fastV" }];
    expect(lowerPlan({ positions: "compact", stages }, planFacts()).stages[0]).not.toHaveProperty("positions");
  });
});
