import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FoveaError } from "../../lib/errors.js";
import type { LoweredStage, Plan } from "../../lib/prune/plan.js";
import { methods } from "../../lib/prune/registry.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { planFacts } from "./plan-facts.js";

const names = [...methods.keys()].join(", ");

const facts = planFacts();

function message(plan: unknown, nLayers = 32): string {
  try {
    lowerPlan(plan, planFacts(nLayers));
  } catch (error) {
    expect(FoveaError.isInstance(error)).toBe(true);
    expect((error as FoveaError).code).toBe("ERR_FOVEA_PLAN");
    return (error as FoveaError).message;
  }
  throw new Error(`accepted: ${JSON.stringify(plan)}`);
}

function at(stage: LoweredStage): string {
  return `${stage.name}@${stage.layer ?? stage.hook}`;
}

describe("lowerPlan: what it makes of a valid plan", () => {
  it("nothing and an empty plan keep everything", () => {
    const nothing = { positions: "compact", stages: [], skip: [] };
    expect(lowerPlan(undefined, facts)).toEqual(nothing);
    expect(lowerPlan({}, facts)).toEqual(nothing);
  });

  it("sorts stages by hook and keeps the order of the plan at one hook", () => {
    const plan: Plan = {
      stages: [
        { method: "uniform", keep: 0.5, layer: 16 },
        { method: "pyramidDrop" },
        { method: "random", keep: 0.5 },
        { method: "divPrune" },
      ],
    };
    expect(lowerPlan(plan, facts).stages.map(at)).toEqual([
      "random@projected",
      "divPrune@projected",
      "pyramidDrop@8",
      "uniform@16",
      "pyramidDrop@16",
      "pyramidDrop@24",
    ]);
  });

  it("takes blocks apart and sorts sub-layers", () => {
    const plan: Plan = {
      positions: "original",
      skipLayers: [
        { part: "ffn", layers: [9, 3], phase: "decode" },
        { part: "block", layers: [5] },
      ],
    };
    expect(lowerPlan(plan, facts)).toEqual({
      positions: "original",
      stages: [],
      skip: [
        { layer: 3, part: "ffn", phase: "decode" },
        { layer: 5, part: "attention", phase: "both" },
        { layer: 5, part: "ffn", phase: "both" },
        { layer: 9, part: "ffn", phase: "decode" },
      ],
    });
  });

  it("joins the two phases of one sub-layer", () => {
    const skipLayers = [
      { part: "attention", layers: [4], phase: "prefill" },
      { part: "attention", layers: [4], phase: "decode" },
    ];
    expect(lowerPlan({ skipLayers }, facts).skip).toEqual([{ layer: 4, part: "attention", phase: "both" }]);
  });

  it("reads undefined as absent, as JSON does", () => {
    const plan = { stages: [{ method: "divPrune", count: undefined }], skipLayers: undefined };
    expect(lowerPlan(plan, facts).stages).toHaveLength(1);
  });
});

describe("lowerPlan: what it says about an invalid plan", () => {
  const stage = (options: object) => ({ stages: [{ method: "divPrune" }, { method: "uniform", ...options }] });

  it.each([
    [stage({ keep: 0 }), "Plan, stages[1].keep: got 0, expected a ratio above 0 and at most 1."],
    [stage({ keep: 2 }), "Plan, stages[1].keep: got 2, expected a ratio above 0 and at most 1."],
    [stage({ keep: Number.NaN }), "stages[1].keep: got NaN"],
    [stage({ keep: "0.5" }), 'stages[1].keep: got "0.5"'],
    [stage({ keep: null }), "stages[1].keep: got null"],
    [stage({ count: 0 }), "stages[1].count: got 0, expected a whole number, 1 or more"],
    [stage({ count: 1.5 }), "stages[1].count: got 1.5"],
    [stage({ count: 1e12 }), "stages[1].count"],
    [stage({ keep: 0.5, count: 3 }), 'stages[1]: got ["keep", "count"], expected only one of them.'],
    [stage({}), "stages[1]: got nothing, expected one of the options keep, count. uniform has no default."],
    [
      stage({ keep: 0.5, layer: 32 }),
      "stages[1].layer: got 32, expected a decoder layer from 1 to 31 (the model has 32 layers",
    ],
    [stage({ keep: 0.5, layer: 0 }), "stages[1].layer: got 0"],
    [
      stage({ keap: 0.5 }),
      'stages[1]: got "keap", expected an option of uniform: keep, count, layer. Did you mean "keep"?',
    ],
    [stage(JSON.parse('{"__proto__": 1}')), 'stages[1]: got "__proto__"'],
    [{ stages: [{ method: "divprune" }] }, `expected the name of a method: ${names}. Did you mean "divPrune"?`],
    [{ stages: [{ method: "slowV" }] }, `stages[0].method: got "slowV", expected the name of a method: ${names}.`],
    [{ stages: [{ method: "toString" }] }, 'stages[0].method: got "toString"'],
    [{ stages: [{ keep: 1 }] }, "stages[0].method: got nothing"],
    [{ stages: ["divPrune"] }, 'stages[0]: got "divPrune", expected an object'],
    [{ stages: {} }, "stages: got an object, expected an array"],
    [{ stages: Array.from({ length: 65 }, () => ({ method: "divPrune" })) }, "at most 64 stages"],
    [{ stages: [{ method: "random", keep: 1, seed: -1 }] }, "stages[0].seed: got -1"],
    [
      { stage: [] },
      'top level: got "stage", expected one of: positions, stages, budget, skipLayers, draft, exit, notes. Did you mean "stages"?',
    ],
    [{ positions: "compakt" }, 'positions: got "compakt", expected one of: compact, original. Did you mean "compact"?'],
    [[], "top level: got [], expected an object"],
    [null, "top level: got null"],
    ["divPrune", 'top level: got "divPrune"'],
  ])("%j", (plan, expected) => {
    expect(message(plan)).toContain(expected);
  });

  it.each([
    [{ layers: [4, 4, 8] }, "stages[0].layers[1]: got 4, expected more than 4, the element before it"],
    [{ layers: [8, 4] }, "stages[0].layers[1]: got 4, expected more than 8"],
    [{ layers: [0] }, "stages[0].layers[0]: got 0"],
    [{ layers: [8, 40] }, "the model has 32 layers"],
    [{ layers: [] }, "stages[0].layers: got [], expected an array of 1 to 31 elements"],
    [{ layers: 8 }, "stages[0].layers: got 8"],
    [{ layers: Array.from({ length: 1e6 }, () => 1) }, "got an array of 1000000 elements"],
    [{ keep: [0.5, 0.6] }, "stages[0].keep[1]: got 0.6, expected at most 0.5"],
    [{ keep: [0.5, 0] }, "stages[0].keep[1]: got 0"],
    [{ layers: [4, 8], keep: [0.5] }, "stages[0].keep: got [0.5], expected 2 ratios, one for each of layers"],
    [{ keep: [0.5], lambda: 0.5 }, 'got ["keep", "lambda"], expected only one of them'],
    [{ lambda: 1.1 }, "stages[0].lambda: got 1.1"],
  ])("pyramidDrop %j", (options, expected) => {
    expect(message({ stages: [{ method: "pyramidDrop", ...options }] })).toContain(expected);
  });

  it("more drops than any prompt could use", () => {
    const method = { method: "pyramidDrop", layers: Array.from({ length: 31 }, (_, i) => i + 1) };
    expect(lowerPlan({ stages: Array.from({ length: 8 }, () => method) }, facts).stages).toHaveLength(248);
    const problem = message({ stages: Array.from({ length: 9 }, () => method) });
    expect(problem).toContain("got 279, expected methods that drop rows at 256 places at most");
  });

  it("pyramidDrop's defaults on a decoder too shallow for them", () => {
    expect(message({ stages: [{ method: "pyramidDrop" }] }, 3)).toContain("the model has 3");
  });

  it.each([
    [[{ part: "mlp", layers: [1] }], 'skipLayers[0].part: got "mlp", expected one of: attention, ffn, block'],
    [
      [
        { part: "ffn", layers: [1] },
        { part: "ffn", layers: [32] },
      ],
      "skipLayers[1].layers[0]: got 32, expected a decoder layer from 0 to 31 (the model has 32 layers)",
    ],
    [
      [{ part: "ffn", layers: [1, 1] }],
      "skipLayers[0].layers[1]: got 1, expected each sub-layer once, but ffn of layer 1",
    ],
    [
      [
        { part: "block", layers: [1] },
        { part: "ffn", layers: [1], phase: "decode" },
      ],
      "skipLayers[1].layers[0]",
    ],
    [
      [{ part: "attention", layers: [7], phase: "prefill" }],
      'expected phase "both" or "decode" for attention of layer 7',
    ],
    [[{ part: "block", layers: [7], phase: "prefill" }], "attention of layer 7"],
    [[{ part: "ffn", layers: [1], phase: "never" }], "skipLayers[0].phase"],
    [
      [{ part: "ffn", layer: 1 }],
      'skipLayers[0]: got "layer", expected one of: part, layers, phase. Did you mean "layers"?',
    ],
    [[{ part: "ffn", layers: [] }], "skipLayers[0].layers: got []"],
    [[{ part: "ffn" }], "skipLayers[0].layers: got nothing"],
    [[7], "skipLayers[0]: got 7"],
    [{ part: "ffn" }, "skipLayers: got an object"],
  ])("skipLayers %j", (skipLayers, expected) => {
    expect(message({ skipLayers })).toContain(expected);
  });
});

describe("lowerPlan: properties", () => {
  const ratio = fc.double({ min: 0, max: 1, minExcluded: true, noNaN: true });
  const layer = fc.integer({ min: 1, max: 31 });
  const amount = fc.oneof(fc.record({ keep: ratio }), fc.record({ count: fc.integer({ min: 1, max: 5000 }) }));
  const optionalLayer = fc.record({ layer }, { requiredKeys: [] });
  const stage = fc.oneof(
    amount.map((options) => ({ method: "divPrune", ...options })),
    fc.record({ method: fc.constant("pyramidDrop"), lambda: ratio }, { requiredKeys: ["method"] }),
    fc.uniqueArray(layer, { minLength: 1, maxLength: 6 }).map((layers) => ({
      method: "pyramidDrop",
      layers: layers.sort((a, b) => a - b),
    })),
    fc.tuple(amount, optionalLayer).map(([keep, where]) => ({ method: "uniform", ...keep, ...where })),
    fc
      .tuple(amount, optionalLayer, fc.maxSafeNat())
      .map(([keep, where, seed]) => ({ method: "random", ...keep, ...where, seed })),
  );
  const validPlan = fc.record(
    {
      positions: fc.constantFrom("compact", "original"),
      stages: fc.array(stage, { maxLength: 5 }),
      skipLayers: fc
        .uniqueArray(fc.integer({ min: 0, max: 31 }), { minLength: 1 })
        .map((layers) => [{ part: "block", layers }]),
    },
    { requiredKeys: [] },
  );

  it("a valid plan and what it lowers to survive JSON", () => {
    fc.assert(
      fc.property(validPlan, (plan) => {
        const lowered = lowerPlan(plan, facts);
        expect(lowerPlan(JSON.parse(JSON.stringify(plan)), facts)).toEqual(lowered);
        expect(JSON.parse(JSON.stringify(lowered))).toEqual(lowered);
      }),
    );
  });

  it("lowered stages are in the order of the forward pass, with budgets native code accepts", () => {
    fc.assert(
      fc.property(validPlan, (plan) => {
        let before = 0;
        for (const { hook, layer = 0, steps } of lowerPlan(plan, facts).stages) {
          expect(layer).toBeGreaterThanOrEqual(before);
          expect(layer > 0).toBe(hook === "decoder-layer");
          before = layer;
          for (const step of steps) {
            if (step.do !== "select" || !("keep" in step)) continue;
            const { ratio: share, count } = step.keep;
            expect((share === undefined) !== (count === undefined)).toBe(true);
            expect((share ?? 1) > 0 && (share ?? 1) <= 1).toBe(true);
          }
        }
      }),
    );
  });

  const words = fc.constantFrom(
    "stages",
    "skipLayers",
    "positions",
    "method",
    "pyramidDrop",
    "divPrune",
    "keep",
    "layers",
    "part",
    "ffn",
    "__proto__",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "medium" },
      fc.jsonValue(),
      words,
      fc.integer({ min: -1, max: 40 }),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(words, tie("tree"), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));

  it("arbitrary JSON is accepted or refused with ERR_FOVEA_PLAN, nothing else", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), tree, fc.record({ stages: fc.array(tree) }), fc.record({ skipLayers: fc.array(tree) })),
        (plan) => {
          try {
            lowerPlan(plan, facts);
          } catch (error) {
            if (!FoveaError.isInstance(error) || error.code !== "ERR_FOVEA_PLAN") throw error;
            expect(error.message.length).toBeLessThan(1000);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("deep nesting does not exhaust the stack", () => {
    const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(message({ stages: [{ method: deep }] })).toContain("stages[0].method");
    expect(message({ stages: deep })).toContain("stages[0]");
  });
});
