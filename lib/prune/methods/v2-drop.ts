import { allAtDepth } from "../depth-share.js";
import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { type Schedule, scheduleAtShare } from "../schedule-at-share.js";

/** Options of `v2Drop`. */
export interface V2DropOptions {
  /** Decoder layers that drop rows. */
  layers?: number[];
  /** Per layer, the share of the rows that are left there. */
  keep?: number[];
}

/** The last one: a single row of the 144 that are left of LLaVA's 576. */
const published: Schedule = { layers: [3, 17, 22], keep: [1 / 2, 1 / 2, 1 / 144] };

/** V2Drop: the rows that the layer before changed most. */
export const v2Drop: Method<V2DropOptions> = {
  name: "v2Drop",
  doc:
    "As rows are about to enter each of `layers`, keeps those that the layer before has changed most, |h_l - h_(l-1)|. It " +
    "needs no attention and no question. V2Drop (variation-aware vision token dropping, CVPR 2026); layers 3, 17 and 22 of " +
    "32 with 0.5, 0.5 and a single row of what is left are the released code's for LLaVA, generalised to the same shares " +
    "of the depth. The released code also shortens the cache of the layer about to run, which changes nothing.",
  options: {
    layers: {
      kind: "layer",
      list: "ascending",
      description: "layers that drop rows; default: 3/32, 17/32, 22/32 of the depth",
    },
    keep: {
      kind: "ratio",
      list: "non-increasing",
      description: "per layer, the share of the rows left there that stays; default 0.5, 0.5 and one row",
    },
  },
  keepAll: { layers: [1], keep: [1] },
  positions: "original",
  lower({ layers, keep }, { nLayers }, where) {
    const at = layers ?? allAtDepth(published.layers, 32, nLayers);
    if (keep === undefined ? at.length > 3 : keep.length !== at.length) {
      throw planError(`${where}.keep`, keep, `${at.length} ratios, one for each of the layers ${at.join(", ")}`);
    }
    return at.map((layer, i): LoweredStage => {
      const amount = keep === undefined && i === 2 ? { count: 1 } : { ratio: keep?.[i] ?? 0.5 };
      return {
        name: "v2Drop",
        hook: "decoder-layer",
        layer,
        steps: [
          { do: "recall", layer: layer - 1, to: "before" },
          { do: "score", by: "distance", a: "hidden", b: "before", to: "change" },
          {
            do: "select",
            by: "topK",
            score: "change",
            keep: { ...amount, of: "stage", rounding: "trunc" },
            to: "kept",
          },
          { do: "gather", rows: "kept" },
        ],
      };
    });
  },
  atShare: (entry, share, facts) => scheduleAtShare(v2Drop, published, entry, share, facts),
};
