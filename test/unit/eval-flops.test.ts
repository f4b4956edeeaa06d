import { expect, it } from "vitest";
import { meanVisualRows, prefillFlops } from "../../lib/eval/flops.js";
import type { Usage } from "../../lib/index.js";

/** LLaVA-1.5-7B. */
const model = { nLayers: 32, dModel: 4096, dFf: 11008 };

function usage(promptRows: number, visualRows: number, more: Partial<Usage> = {}): Usage {
  return {
    promptRows,
    visualRows,
    cachedImages: 0,
    cachedRows: 0,
    generatedTokens: 1,
    stages: [],
    skipped: [],
    kvRows: [],
    ...more,
  };
}

const pyramid = [8, 16, 24].map((layer, i) => ({
  name: "pyramidDrop",
  hook: "decoder-layer",
  layer,
  images: [{ rowsIn: 576 / 2 ** i, rowsOut: 288 / 2 ** i }],
}));

it("the papers' own figures of LLaVA-1.5-7B", () => {
  expect(prefillFlops(usage(640, 576), model).imageMacs / 1e12).toBeCloseTo(3.8172, 4); // PyramidDrop, none
  expect(prefillFlops(usage(640, 576, { stages: pyramid }), model).imageMacs / 1e12).toBeCloseTo(1.7774, 4);
  expect(prefillFlops(usage(621, 576), model).textImageMacs / 1e12).toBeCloseTo(3.228, 2); // DivPrune, none
  const divPrune = { name: "divPrune", hook: "projected", images: [{ rowsIn: 576, rowsOut: 56 }] };
  expect(prefillFlops(usage(621, 576, { stages: [divPrune] }), model).textImageMacs / 1e12).toBeCloseTo(0.512, 2);
  expect(prefillFlops(usage(631, 576), model).flops / 1e12).toBeCloseTo(8.38, 2); // p-MoD, none
});

it("layer by layer, against the formulas written out", () => {
  const tiny = { nLayers: 2, dModel: 3, dFf: 5 };
  const stage = { name: "x", hook: "decoder-layer", layer: 1, images: [{ rowsIn: 8, rowsOut: 4 }] };
  const skipped: Usage["skipped"] = [
    { layer: 0, part: "ffn", phase: "both" },
    { layer: 1, part: "attention", phase: "decode" },
  ];
  const attention = (n: number) => 4 * n * 9 + 2 * n * n * 3;
  expect(prefillFlops(usage(10, 8, { stages: [stage], skipped }), tiny)).toEqual({
    imageMacs: attention(8) + attention(4) + 3 * 4 * 15,
    textImageMacs: attention(10) + attention(6) + 2 * 6 * 15,
    flops: 2 * (attention(10) + attention(6) + 3 * 6 * 15),
  });
});

it("a skipped layer has no rows; rows dropped in the tower are gone before layer 0", () => {
  const skipped: Usage["skipped"] = [
    { layer: 3, part: "attention", phase: "both" },
    { layer: 3, part: "ffn", phase: "both" },
  ];
  const tower = { name: "x", hook: "vision-layer", layer: 3, images: [{ rowsIn: 100, rowsOut: 40 }] };
  expect(meanVisualRows(usage(110, 100, { skipped }), 4)).toBe(75);
  expect(meanVisualRows(usage(110, 100, { stages: [tower] }), 4)).toBe(40);
});
