import { allAtDepth } from "../depth-share.js";
import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { type Schedule, scheduleAtShare } from "../schedule-at-share.js";

/** Options of `sparseVlm`. */
export interface SparseVlmOptions {
  /** Decoder layers that drop rows. */
  layers?: number[];
  /** Per layer, the share of the rows that entered the decoder. */
  keep?: number[];
}

const published: Schedule = { layers: [3, 7, 16], keep: [300, 200, 118].map((rows) => rows / 576) };

/** SparseVLM: the words that the picture speaks to rank its rows. */
export const sparseVlm: Method<SparseVlmOptions> = {
  name: "sparseVlm",
  doc:
    "Before the decoder, picks the raters: rows of the question to which the visual rows are more alike than to its mean row " +
    "(softmax over the question of their dot products, mean over visual rows). As rows are about to enter each of `layers`, " +
    "the attention that the raters paid in the layer before, mean over raters and heads, ranks the visual rows. SparseVLM, " +
    "arXiv 2410.04417, second version. The released code prunes behind layers 2, 6 and 15 of 32 to 300, 200 and 118 of 576 " +
    "rows; layers are generalised to the same shares of the depth, the lists to shares of the rows. The adaptive count that " +
    "the paper describes is not in the code. Not here: the first version's recycling of dropped rows into clusters (which " +
    "the second version dropped too) and the second version's choice of 14 heads and division by a rotary bias.",
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
  },
  keepAll: { layers: [1], keep: [1] },
  positions: "original",
  lower({ layers, keep = published.keep }, { nLayers }, where) {
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
          { do: "gather", rows: "kept" },
        ],
      }),
    );
  },
  atShare: (entry, share, facts) => scheduleAtShare(sparseVlm, published, entry, share, facts),
};
