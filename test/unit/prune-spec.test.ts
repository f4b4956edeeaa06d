import { describe, expect, it } from "vitest";
import { parsePruneSpec } from "../../lib/prune/parse-prune-spec.js";
import { parseSkipSpec } from "../../lib/prune/parse-skip-spec.js";
import { methods } from "../../lib/prune/registry.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { planFacts } from "./plan-facts.js";

describe("parsePruneSpec", () => {
  it.each([
    ["pyramidDrop", [{ method: "pyramidDrop" }]],
    ["divPrune:keep=0.25,pyramidDrop", [{ method: "divPrune", keep: 0.25 }, { method: "pyramidDrop" }]],
    [
      "pyramidDrop:layers=2+4+6:keep=0.5+0.25+0.125",
      [{ method: "pyramidDrop", layers: [2, 4, 6], keep: [0.5, 0.25, 0.125] }],
    ],
    ["pyramidDrop:layers=4", [{ method: "pyramidDrop", layers: [4] }]],
    [
      " random : count = 12 : seed=3 , uniform:keep=.5",
      [
        { method: "random", count: 12, seed: 3 },
        { method: "uniform", keep: 0.5 },
      ],
    ],
  ])("%s", (text, stages) => {
    expect(parsePruneSpec(text)).toEqual(stages);
    expect(lowerPlan({ stages }, planFacts(8)).stages.length).toBeGreaterThan(0);
  });

  it.each([
    ["divPrune:keep", 'Plan, "divPrune:keep": got "keep", expected option=value.'],
    [
      "pyramidDrop,divPrun",
      `Plan, "divPrun": got "divPrun", expected the name of a method: ${[...methods.keys()].join(", ")}. Did you mean "divPrune"?`,
    ],
    ["pyramidDrop,", 'Plan, "": got ""'],
    ["", 'Plan, "": got ""'],
    [
      "divPrune:kep=1",
      'Plan, "divPrune:kep=1": got "kep", expected an option of divPrune: keep, count, center. Did you mean "keep"?',
    ],
    ["divPrune:keep=half", 'Plan, "keep=half": got "half", expected a number, as in 8 or 0.25.'],
    ["divPrune:keep=1e3", 'got "1e3"'],
    ["divPrune:keep=", 'got ""'],
    ["divPrune:keep=0.5+0.25", 'got "keep=0.5+0.25", expected one value for keep.'],
    ["divPrune:keep=0.5:keep=0.25", 'got "keep=0.25", expected keep once.'],
    ["pyramidDrop:layers=2++4", 'Plan, "layers=2++4": got ""'],
    ["divPrune:method=4", 'got "method"'],
  ])("refuses %j", (text, expected) => {
    expect(() => parsePruneSpec(text)).toThrow(expect.objectContaining({ code: "ERR_FOVEA_PLAN" }));
    expect(() => parsePruneSpec(text)).toThrow(expected);
  });
});

describe("parseSkipSpec", () => {
  it.each([
    [
      "attention:6,ffn:7",
      [
        { part: "attention", layers: [6] },
        { part: "ffn", layers: [7] },
      ],
    ],
    ["ffn:3-5", [{ part: "ffn", layers: [3, 4, 5] }]],
    ["block:1+4-5:decode", [{ part: "block", layers: [1, 4, 5], phase: "decode" }]],
    ["ffn:3-3", [{ part: "ffn", layers: [3] }]],
  ])("%s", (text, skipLayers) => {
    expect(parseSkipSpec(text)).toEqual(skipLayers);
    expect(lowerPlan({ skipLayers }, planFacts(8)).skip.length).toBeGreaterThan(0);
  });

  it.each([
    ["mlp:3", 'Plan, "mlp:3": got "mlp", expected attention, ffn or block'],
    ["ffn", 'Plan, "ffn": got "ffn", expected part:layers'],
    ["attention:6,ffn:x", 'Plan, "ffn:x": got "x", expected a layer or a range'],
    ["ffn:5-3", 'got "5-3", expected a range that ascends'],
    ["ffn:0-99999999", "at most 1024 layers"],
    ["ffn:-1", 'got "-1"'],
    ["ffn:1:always", 'got "always", expected a phase'],
    ["ffn:1:decode:2", "expected part:layers"],
    ["", 'got ""'],
  ])("refuses %j", (text, expected) => {
    expect(() => parseSkipSpec(text)).toThrow(expect.objectContaining({ code: "ERR_FOVEA_PLAN" }));
    expect(() => parseSkipSpec(text)).toThrow(expected);
  });
});
