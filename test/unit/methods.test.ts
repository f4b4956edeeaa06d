import { describe, expect, it } from "vitest";
import { meanShare } from "../../lib/prune/mean-share.js";
import { optionRange } from "../../lib/prune/option.js";
import type { Plan, PlanStage } from "../../lib/prune/plan.js";
import { prefixKvRatios } from "../../lib/prune/prefix-kv-ratios.js";
import { methods } from "../../lib/prune/registry.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { type LayerRows, visualMacs } from "../../lib/prune/visual-macs.js";
import { planFacts } from "./plan-facts.js";

function lower(stage: PlanStage, nLayers = 32) {
  return lowerPlan({ stages: [stage] }, planFacts(nLayers)).stages;
}

describe("methods", () => {
  it.each([...methods])("%s: explains itself and its options", (name, method) => {
    expect(method.name).toBe(name);
    expect(method.doc.length).toBeGreaterThan(80);
    for (const spec of Object.values(method.options)) {
      expect(spec.description).not.toBe("");
      expect(optionRange(spec)).not.toBe("");
    }
    expect(Object.keys(method.options)).toEqual(expect.arrayContaining([...(method.alternatives ?? [])]));
  });

  it("divPrune: 0.098 of what the projector made, half to even", () => {
    expect(lower({ method: "divPrune" })).toEqual([
      {
        name: "divPrune",
        hook: "projected",
        steps: [
          {
            do: "select",
            by: "maxMin",
            features: "hidden",
            keep: { ratio: 0.098, of: "stage", rounding: "half-even" },
            to: "kept",
          },
          { do: "gather", rows: "kept" },
        ],
      },
    ]);
    const [byCount] = lower({ method: "divPrune", count: 56 });
    expect(byCount?.steps[0]).toMatchObject({ keep: { count: 56, of: "stage" } });
    expect(byCount?.steps[0]).not.toHaveProperty("keep.ratio");
  });

  it("divPrune, centered: compares rows minus their mean", () => {
    expect(lower({ method: "divPrune", center: true })[0]?.steps).toMatchObject([
      { do: "features", by: "center", features: "hidden", to: "centered" },
      { do: "select", by: "maxMin", features: "centered" },
      { do: "gather" },
    ]);
  });

  it("eadp: published coverage of (1 + cosine) / 2, smoothed over the picture's grid", () => {
    const steps = lower({ method: "eadp", keep: 0.25, beta: 2 })[0]?.steps;
    expect(steps?.find(({ do: what }) => what === "select")).toMatchObject({
      cover: [{ features: "hidden", weight: "importance", floor: -1 }],
      algorithm: "lazy",
    });
    expect(steps).toContainEqual({
      do: "normalise",
      by: "smooth3x3",
      score: "scaled",
      rows: 24,
      columns: 24,
      to: "smooth",
    });
    expect(steps?.filter((step) => "sign" in step)).toMatchObject([{ sign: -1 }, { sign: -1, share: 0.2 }]);
  });

  it("hiRed: layer 0 of the tower deals the budget out, the last one that runs chooses", () => {
    const taps = lower({ method: "hiRed" })[0]?.steps.filter(({ do: what }) => what === "tap");
    expect(taps).toMatchObject([{ layer: -23 }, { layer: -1 }]);
  });

  it("pruMerge: as many as stand out, unless told how many; spread only by number", () => {
    const first = (stage: PlanStage) => lower(stage)[0]?.steps[2];
    expect(first({ method: "pruMerge" })).toMatchObject({ by: "outliers", reach: 1.5 });
    expect(first({ method: "pruMerge", count: 64 })).toMatchObject({ by: "topK", keep: { count: 64 } });
    expect(first({ method: "pruMerge", count: 64, plus: true })).toMatchObject({ keep: { count: 64, share: 0.25 } });
    expect(() => lower({ method: "pruMerge", plus: true })).toThrow(/plus.*keep or count/s);
    const noClassRow = { ...planFacts(), tower: { ...planFacts().tower, hasClassRow: false } };
    expect(() => lowerPlan({ stages: [{ method: "pruMerge" }] }, noClassRow)).toThrow(/class row/);
  });

  it.each([
    [{ keep: 0.7233, stages: [0.7487, 0.487] }, 0.5007],
    [{ keep: 0.2651 }, 0.2507],
    [{ keep: 0.1166, stages: [1, 0.6011] }, 0.1],
  ])("vFlowOpt: %j leaves the published mean over 28 layers", (options, mean) => {
    const stages = lower({ method: "vFlowOpt", ...options }, 28);
    expect(stages.map(({ layer }) => layer)).toEqual([undefined, 9, 18]);
    expect(meanShare(stages, 28, options.keep)).toBeCloseTo(mean, 4);
  });

  it("vFlowOpt: positions are compact before the decoder, original inside it, or as the plan says", () => {
    const stages = [{ method: "vFlowOpt" }];
    const of = (plan: Plan) =>
      lowerPlan(plan, planFacts()).stages.map((stage) => ("positions" in stage ? stage.positions : undefined));
    expect(of({ stages })).toEqual(["compact", "original", "original"]);
    expect(of({ stages, positions: "original" })).toEqual([undefined, undefined, undefined]);
  });

  it("vFlowOpt: a ratio for each layer", () => {
    expect(() => lower({ method: "vFlowOpt", stages: [0.5] })).toThrow(/stages.*2 ratios/s);
    expect(lower({ method: "vFlowOpt", keep: 1 }).map(({ hook }) => hook)).toEqual(["decoder-layer", "decoder-layer"]);
  });

  it("cdPruner: OpenVINO's defaults", () => {
    expect(lower({ method: "cdPruner", pruning_ratio: 75 })[0]?.steps).toEqual([
      { do: "text", rows: "text", take: "mean", to: "prompt" },
      { do: "score", by: "cosine", features: "hidden", vectors: "prompt", sign: 1, to: "cosine" },
      { do: "normalise", by: "minMax", score: "cosine", parts: 1, to: "scaled" },
      { do: "normalise", by: "exp", score: "scaled", scale: 0.5, to: "relevance" },
      {
        do: "select",
        by: "dpp",
        features: "hidden",
        weight: "relevance",
        parts: 1,
        keep: { ratio: 0.25, of: "stage", rounding: "half-up" },
        to: "kept",
      },
      { do: "gather", rows: "kept" },
    ]);
  });

  it.each([
    [{ relevance_weight: 0 }, ["select dpp hidden undefined 1", "gather"]],
    [
      { relevance_weight: 0, center: true },
      ["features center", "score distinctiveness", "normalise minMax", "select dpp centered distinct 1", "gather"],
    ],
    [
      { relevance_weight: 1, split: true },
      ["text", "score cosine", "normalise minMax", "select dpp hidden relevance 2", "gather"],
    ],
    [
      { relevance_weight: 1, center: true },
      [
        "text",
        "score cosine",
        "normalise minMax",
        "features center",
        "score distinctiveness",
        "normalise minMax",
        "combine product",
        "select dpp centered both 1",
        "gather",
      ],
    ],
  ])("cdPruner %j", (options, steps) => {
    const [stage] = lower({ method: "cdPruner", keep: 0.5, ...options });
    const words = stage?.steps.map((step) => {
      const parts = step.do === "select" && step.by === "dpp" ? [step.features, step.weight, step.parts] : [];
      return [step.do, ...("by" in step ? [step.by] : []), ...parts].join(" ").replace("  ", " undefined ");
    });
    expect(words).toEqual(steps);
  });

  it("cdPruner: refuses what has no meaning or no float", () => {
    const plan = (options: object) => () => lower({ method: "cdPruner", ...options });
    expect(plan({})).toThrow("one of the options keep, count, pruning_ratio");
    expect(plan({ pruning_ratio: 100 })).toThrow("a whole number of per cent, 0 to 99");
    expect(plan({ pruning_ratio: 50, keep: 0.5 })).toThrow("only one of them");
    expect(plan({ keep: 0.5, relevance_weight: 1.5 })).toThrow("a number from 0 to 1");
    expect(plan({ keep: 0.5, relevance_weight: 0.999 })).toThrow("1 or at most 0.99");
    expect(plan({ keep: 0.5, sign: 2 })).toThrow("1 or -1");
    expect(plan({ keep: 0.5, center: 1 })).toThrow("true or false");
  });

  it("dart: a quarter goes, rounded up", () => {
    const [stage] = lower({ method: "dart" });
    expect(stage?.steps).toMatchObject([
      { do: "text", rows: "textAfter", take: "longest", count: 4 },
      { do: "score", by: "norm", p: 1 },
      { do: "select", by: "pivots", pivots: 4, keep: { ratio: 0.75, of: "stage", rounding: "ceil" } },
      { do: "gather" },
    ]);
  });

  it("pyramidDrop: the paper's three stages on 32 layers", () => {
    expect(lower({ method: "pyramidDrop" })).toEqual(
      [
        [8, 0.5],
        [16, 0.25],
        [24, 0.125],
      ].map(([layer, ratio]) => ({
        name: "pyramidDrop",
        hook: "decoder-layer",
        layer,
        steps: [
          { do: "probe", queries: "last", to: "attention" },
          {
            do: "select",
            by: "topK",
            score: "attention",
            keep: { ratio, of: "decoder", rounding: "trunc" },
            to: "kept",
          },
          { do: "gather", rows: "kept" },
        ],
      })),
    );
  });

  it.each([
    [{}, 8, [2, 4, 6], [0.5, 0.25, 0.125]],
    [{}, 40, [10, 20, 30], [0.5, 0.25, 0.125]],
    [{}, 28, [7, 14, 21], [0.5, 0.25, 0.125]],
    [{}, 30, [8, 15, 23], [0.5, 0.25, 0.125]],
    [{}, 4, [1, 2, 3], [0.5, 0.25, 0.125]],
    [{ lambda: 0.4 }, 32, [8, 16, 24], [0.4, 0.4 ** 2, 0.4 ** 3]],
    [{ keep: [0.3] }, 32, [16], [0.3]],
    [{ layers: [2] }, 32, [2], [0.5]],
    [{ layers: [3, 5], keep: [0.5, 0.5] }, 32, [3, 5], [0.5, 0.5]],
    [{ layers: [1, 2, 3, 4] }, 5, [1, 2, 3, 4], [0.5, 0.25, 0.125, 0.0625]],
  ])("pyramidDrop %j on %i layers", (options, nLayers, layers, ratios) => {
    const stages = lower({ method: "pyramidDrop", ...options }, nLayers);
    expect(stages.map(({ layer }) => layer)).toEqual(layers);
    expect(stages.map(({ steps }) => (steps[1] as { keep: { ratio: number } }).keep.ratio)).toEqual(ratios);
  });

  it("pyramidDrop: powers that vanish still are ratios", () => {
    for (const { steps } of lower({ method: "pyramidDrop", lambda: 1e-200 })) {
      expect((steps[1] as { keep: { ratio: number } }).keep.ratio).toBeGreaterThan(0);
    }
  });

  it("random and uniform: before the decoder, or as rows enter a layer", () => {
    expect(lower({ method: "random", keep: 0.5 })).toEqual([
      {
        name: "random",
        hook: "projected",
        steps: [
          { do: "select", by: "random", keep: { ratio: 0.5, of: "stage", rounding: "half-even" }, seed: 0, to: "kept" },
          { do: "gather", rows: "kept" },
        ],
      },
    ]);
    expect(lower({ method: "random", keep: 0.5, seed: 7, layer: 3 })[0]).toMatchObject({
      hook: "decoder-layer",
      layer: 3,
      steps: [{ seed: 7 }, { do: "gather" }],
    });
    expect(lower({ method: "uniform", count: 9, layer: 3 })).toEqual([
      {
        name: "uniform",
        hook: "decoder-layer",
        layer: 3,
        steps: [
          { do: "select", by: "uniform", keep: { count: 9, of: "stage", rounding: "half-even" }, to: "kept" },
          { do: "gather", rows: "kept" },
        ],
      },
    ]);
  });
});

describe("methods on the KV cache", () => {
  const quota = "quota of stages[0]";
  const score = "score of stages[0]";
  const compact = { do: "compact", rows: "kept" };

  it("snapKv: the window asks, is left out of the average, and stays", () => {
    expect(lower({ method: "snapKv", keep: 0.5, window: 8 })).toEqual([
      {
        name: "snapKv",
        hook: "prefilled",
        steps: [
          { do: "mass", queries: "last", window: 8, heads: "kv", to: score },
          { do: "pool", score, kernel: 5, last: 8, to: score },
          { do: "allocate", by: "share", ratio: 0.5, to: quota },
          { do: "select", by: "topK", score, quota, last: 8, to: "kept" },
          compact,
        ],
      },
    ]);
    expect(() => lower({ method: "snapKv", kernel: 4 })).toThrow("stages[0].kernel: got 4, expected an odd number");
  });

  it("h2o: the same while decoding, with the attention of the new row added", () => {
    const [prefilled, decoding] = lower({ method: "h2o", count: 64 });
    expect(prefilled).toMatchObject({
      hook: "prefilled",
      steps: [{ queries: "all", add: false }, { count: 64 }, {}, {}],
    });
    expect(decoding).toEqual({
      name: "h2o",
      hook: "decode-step",
      steps: [
        { do: "mass", queries: "all", heads: "kv", add: true, to: score },
        { do: "allocate", by: "share", count: 64, to: quota },
        { do: "select", by: "topK", score, quota, lastShare: 0.5, to: "kept" },
        compact,
      ],
    });
    expect(lower({ method: "h2o", decode: false }).map(({ hook }) => hook)).toEqual(["prefilled"]);
  });

  it("prefixKv: a search, or a ratio per layer", () => {
    const [searched, decoding] = lower({ method: "prefixKv", evict: 0.5 }, 4);
    expect(searched?.steps[1]).toMatchObject({ by: "prefix", evict: 0.5, protect: 2 });
    expect(searched?.steps[2]).toMatchObject({ by: "topK", first: 1, last: 1 });
    expect(decoding?.steps).toEqual([{ do: "select", by: "slot", quota, behind: 25, to: "kept" }, compact]);
    const [listed] = lower({ method: "prefixKv", evictPerLayer: [0, 0.1, 0.9, 0.5] }, 4);
    expect(listed?.steps[1]).toEqual({ do: "allocate", by: "evict", evict: [0, 0.1, 0.9, 0.5], protect: 2, to: quota });
    for (const evictPerLayer of [[0.5], [0, 0, 0, 1], [0, 0, 0, "0"], 0.5]) {
      expect(() => lower({ method: "prefixKv", evictPerLayer }, 4)).toThrow(
        "expected a list with, for each of 4 decoder layers, a number from 0 to 0.99",
      );
    }
    expect(() => lower({ method: "prefixKv" })).toThrow("one of the options evict, evictPerLayer");
  });

  it("vlCache: one question for budgets and rows", () => {
    const [stage] = lower({ method: "vlCache", keep: 0.25 });
    expect(stage?.steps.slice(0, 2)).toEqual([
      { do: "mass", queries: "textAfter", heads: "kv", to: score },
      { do: "allocate", by: "sparsity", ratio: 0.25, queries: "textAfter", below: 0.01, least: 0.01, to: quota },
    ]);
  });

  it("run last, and leave the rows of the stream alone", () => {
    const { stages } = lowerPlan(
      { stages: [{ method: "h2o" }, { method: "snapKv" }, { method: "uniform", keep: 0.5, layer: 2 }] },
      planFacts(),
    );
    expect(stages.map(({ name, hook }) => `${name} ${hook}`)).toEqual([
      "uniform decoder-layer",
      "h2o prefilled",
      "snapKv prefilled",
      "h2o decode-step",
    ]);
    expect(meanShare(stages, 4)).toBe(0.75);
  });

  it("go with drafts only while they leave decoding alone", () => {
    const plan = (stage: PlanStage) => ({ stages: [stage], draft: {} });
    expect(() => lowerPlan(plan({ method: "h2o" }), planFacts())).toThrow("no draft beside h2o");
    expect(lowerPlan(plan({ method: "h2o", decode: false }), planFacts()).draft).toBeDefined();
  });

  it("prefixKvRatios: the mean share that left, per layer", () => {
    const layers = (...rows: [number, number][]) => rows.map(([rowsIn, rowsOut]) => ({ rowsIn, rowsOut }));
    expect(prefixKvRatios([layers([100, 50], [100, 100], [0, 0]), layers([200, 50], [200, 190], [0, 0])])).toEqual([
      expect.closeTo(0.625, 12),
      expect.closeTo(0.025, 12),
      0,
    ]);
    expect(() => prefixKvRatios([])).toThrow(RangeError);
    expect(() => prefixKvRatios([layers([1, 1]), layers([1, 1], [1, 1])])).toThrow(RangeError);
  });
});

describe("visualMacs: the figures of PyramidDrop's tables, in T", () => {
  const vicuna7b = { dModel: 4096, dFf: 11008 };
  const vicuna13b = { dModel: 5120, dFf: 13824 };
  const layers = (runs: [nLayers: number, rows: number][]): LayerRows[] =>
    runs.flatMap(([nLayers, rows]) => Array.from({ length: nLayers }, () => ({ attention: rows, ffn: rows })));

  it.each([
    ["LLaVA-1.5-7B", vicuna7b, [[32, 576]], 3.8172],
    [
      "LLaVA-1.5-7B, pyramidDrop",
      vicuna7b,
      [
        [8, 576],
        [8, 288],
        [8, 144],
        [8, 72],
      ],
      1.7774,
    ],
    ["LLaVA-NeXT-7B", vicuna7b, [[32, 2880]], 20.825],
    [
      "LLaVA-NeXT-7B, pyramidDrop",
      vicuna7b,
      [
        [8, 2880],
        [8, 1440],
        [8, 720],
        [8, 360],
      ],
      9.4646,
    ],
    ["LLaVA-1.5-13B", vicuna13b, [[40, 576]], 7.4441],
    [
      "LLaVA-1.5-13B, pyramidDrop at 8, 16, 24",
      vicuna13b,
      [
        [8, 576],
        [8, 288],
        [8, 144],
        [16, 72],
      ],
      2.9598,
    ],
  ] as [string, typeof vicuna7b, [number, number][], number][])("%s", (_, widths, runs, expected) => {
    const tera = visualMacs(layers(runs), widths) / 1e12;
    expect(Number(tera.toPrecision(5))).toBe(expected);
  });

  it("a skipped half costs nothing", () => {
    const widths = { dModel: 8, dFf: 16 };
    const whole = visualMacs([{ attention: 5, ffn: 5 }], widths);
    const halves = visualMacs([{ attention: 5, ffn: 0 }], widths) + visualMacs([{ attention: 0, ffn: 5 }], widths);
    expect(halves).toBe(whole);
    expect(visualMacs([{ attention: 0, ffn: 5 }], widths)).toBe(3 * 5 * 8 * 16);
  });
});
