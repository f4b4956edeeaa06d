import { describe, expect, it } from "vitest";
import { parseDraftSpec, parseExitSpec } from "../../lib/prune/parse-depth-spec.js";
import type { Plan } from "../../lib/prune/plan.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { planFacts } from "./plan-facts.js";

const facts = planFacts(8);
const lower = (plan: unknown) => lowerPlan(plan, facts);

describe("draft", () => {
  it("has the defaults of Draft & Verify, and searches as SWIFT does unless told what to skip", () => {
    const search = { skipRatio: 0.45, context: 32, stopScore: 0.95, patience: 300, proposals: 1000, seed: 0 };
    const odd = [1, 3, 5].flatMap((layer) => [
      { layer, part: "attention" },
      { layer, part: "ffn" },
    ]);
    const common = { max: 8, stopProbability: 0.8, adapt: true };
    expect(lower({ draft: {} }).draft).toEqual({ ...common, skip: odd, search });
    const skipLayers = [{ part: "block", layers: [2] }];
    const skip = [
      { layer: 2, part: "attention" },
      { layer: 2, part: "ffn" },
    ];
    expect(lower({ draft: { skipLayers } }).draft).toEqual({ ...common, skip });
    expect(lower({ draft: { skipLayers, search: { seed: 4 } } }).draft).toEqual({
      ...common,
      skip,
      search: { ...search, seed: 4 },
    });
    expect(lower({}).draft).toBeUndefined();
  });

  it.each([
    [{ draft: 1 }, "draft: got 1, expected an object"],
    [{ draft: { serch: {} } }, 'Did you mean "search"?'],
    [{ draft: { max: 0 } }, "draft.max: got 0, expected a whole number from 1 to 64"],
    [{ draft: { max: 65 } }, "draft.max"],
    [{ draft: { stopProbability: 1.5 } }, "draft.stopProbability: got 1.5, expected a number from 0 to 1"],
    [{ draft: { adapt: 1 } }, "draft.adapt: got 1, expected true or false"],
    [{ draft: { skipLayers: [{ part: "ffn", layers: [8] }] } }, "draft.skipLayers[0].layers[0]"],
    [{ draft: { skipLayers: [{ part: "ffn", layers: [1], phase: "decode" }] } }, "draft.skipLayers[0]"],
    [{ draft: { skipLayers: 3 } }, "draft.skipLayers: got 3"],
    [{ draft: { search: { skipRatio: -1 } } }, "draft.search.skipRatio"],
    [{ draft: { search: { context: 1.5 } } }, "draft.search.context"],
    [{ draft: { search: { context: 2000 } } }, "draft.search.context"],
    [{ draft: { search: { seed: -1 } } }, "draft.search.seed"],
    [{ draft: { search: [] } }, "draft.search: got []"],
    [{ draft: {}, exit: {} }, "either draft or exit"],
  ])("%j is refused", (plan, message) => {
    expect(() => lower(plan)).toThrow(message);
  });

  it("of a model without inner layers needs skipLayers", () => {
    const two = { ...facts, nLayers: 2 };
    expect(() => lowerPlan({ draft: {} }, two)).toThrow("draft.search");
    expect(lowerPlan({ draft: { skipLayers: [{ part: "ffn", layers: [1] }] } }, two).draft?.skip).toHaveLength(1);
  });
});

describe("exit", () => {
  it("may happen after every layer but the last", () => {
    expect(lower({ exit: {} }).exit).toEqual({ layers: [0, 1, 2, 3, 4, 5, 6], q: 0.5 });
    expect(lower({ exit: { layers: [2, 6], q: 0 } }).exit).toEqual({ layers: [2, 6], q: 0 });
  });

  it.each([
    [{ exit: { layers: [7] } }, "exit.layers[0]: got 7, expected decoder layers from 0 to 6"],
    [{ exit: { layers: [3, 3] } }, "exit.layers[1]"],
    [{ exit: { layers: [] } }, "exit.layers"],
    [{ exit: { layers: [-1] } }, "exit.layers[0]"],
    [{ exit: { layers: ["1"] } }, "exit.layers[0]"],
    [{ exit: { q: 2 } }, "exit.q"],
    [{ exit: { layer: 2 } }, 'Did you mean "layers"?'],
  ])("%j is refused", (plan, message) => {
    expect(() => lower(plan)).toThrow(message);
  });
});

describe("the short forms", () => {
  it.each<[string, Plan["draft"]]>([
    ["attention:3-5", { skipLayers: [{ part: "attention", layers: [3, 4, 5] }] }],
    [
      "attention:3+5,ffn:4,max:6,stopProbability:.5,fixed",
      {
        skipLayers: [
          { part: "attention", layers: [3, 5] },
          { part: "ffn", layers: [4] },
        ],
        max: 6,
        stopProbability: 0.5,
        adapt: false,
      },
    ],
    ["skipRatio:0.3, seed:1", { search: { skipRatio: 0.3, seed: 1 } }],
  ])("--draft %s", (text, draft) => expect(parseDraftSpec(text)).toEqual(draft));

  it.each([
    ["atention:3", 'Did you mean "attention"?'],
    ["max:1,max:2", "max once"],
    ["seed:1,seed:1", "seed once"],
    ["max", "a number"],
    ["max:1e3", "a number"],
    ["ffn", "part:layers"],
    ["fixed:1", "one of"],
  ])("--draft %s is refused", (text, message) => expect(() => parseDraftSpec(text)).toThrow(message));

  it("--exit", () => {
    expect(parseExitSpec("layers:4-6+2,q:0.7")).toEqual({ layers: [4, 5, 6, 2], q: 0.7 });
    expect(() => parseExitSpec("q:high")).toThrow("a number");
    expect(() => parseExitSpec("quantile:1")).toThrow("one of");
    expect(() => parseExitSpec("layers:x")).toThrow("a layer or a range");
  });
});
