import { allAtDepth } from "../depth-share.js";
import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { type Schedule, scheduleAtShare } from "../schedule-at-share.js";
import type { Step } from "../step.js";

/** Options of `sparseVlm`. */
export interface SparseVlmOptions {
  /** Decoder layers that drop rows. */
  layers?: number[];
  /** Per layer, the share of the rows that entered the decoder. */
  keep?: number[];
  /** Fold the better ones of the dropped rows into a few that stay. */
  recycle?: boolean;
}

const published: Schedule = { layers: [3, 7, 16], keep: [300, 200, 118].map((rows) => rows / 576) };

const recycling: Step[] = [
  { do: "without", rows: "kept", to: "dropped" },
  {
    do: "select",
    by: "topK",
    score: "attention",
    among: "dropped",
    keep: { ratio: 0.3, of: "stage", rounding: "ceil" },
    to: "better",
  },
  {
    do: "merge",
    by: "density",
    features: "hidden",
    rows: "better",
    keep: { ratio: 0.1, of: "stage", rounding: "ceil" },
    reduce: "mean",
    to: "centres",
  },
  { do: "union", of: ["kept", "centres"], to: "left" },
];

/** SparseVLM: the words that the picture speaks to rank its rows. */
export const sparseVlm: Method<SparseVlmOptions> = {
  name: "sparseVlm",
  doc:
    "Before the decoder, picks the raters: rows of the question to which the visual rows are more alike than to its mean row " +
    "(softmax over the question of their dot products, mean over visual rows). As rows are about to enter each of `layers`, " +
    "the attention that the raters paid in the layer before, mean over raters and heads, ranks the visual rows. SparseVLM, " +
    "arXiv 2410.04417, second version. The released code prunes behind layers 2, 6 and 15 of 32 to 300, 200 and 118 of 576 " +
    "rows; layers are generalised to the same shares of the depth, the lists to shares of the rows. The adaptive count that " +
    "the paper describes is not in the code. recycle is the first version's, which the second dropped: the best 30 per cent " +
    "of the rows that go gather in clusters by density (k-nearest neighbours, as many as there are clusters), a tenth of " +
    "their number, and each cluster's mean stays, here in the place of its centre and without the code's random numbers. Not " +
    "here: the second version's choice of 14 heads and division by a rotary bias.",
  options: {
    layers: {
      kind: "layer",
      list: "ascending",
      description: "layers that drop rows; default: 3/32, 7/32, 16/32 of the depth",
    },
    keep: {
      kind: "ratio",
      list: "non-increasing",
      description: "per layer, the share of the decoder's rows that stays; default 300/576, 200/576, 118/576",
    },
    recycle: { kind: "switch", default: false, description: "fold the better dropped rows into a few that stay" },
  },
  keepAll: { layers: [1], keep: [1], recycle: true },
  positions: "original",
  lower({ layers, keep = published.keep, recycle }, { nLayers }, where) {
    const at = layers ?? allAtDepth(published.layers, 32, nLayers);
    if (keep.length !== at.length) {
      throw planError(`${where}.keep`, keep, `${at.length} ratios, one for each of the layers ${at.join(", ")}`);
    }
    return at.map(
      (layer, i): LoweredStage => ({
        name: "sparseVlm",
        hook: "decoder-layer",
        layer,
        steps: [
          { do: "raters", layer: 0, to: "raters" },
          { do: "probe", queries: "named", rows: "raters", layer: layer - 1, to: "attention" },
          {
            do: "select",
            by: "topK",
            score: "attention",
            keep: { ratio: keep[i] as number, of: "decoder", rounding: "half-even" },
            to: "kept",
          },
          ...(recycle ? recycling : []),
          { do: "gather", rows: recycle ? "left" : "kept" },
        ],
      }),
    );
  },
  atShare: (entry, share, facts) => scheduleAtShare(sparseVlm, published, entry, share, facts),
};
