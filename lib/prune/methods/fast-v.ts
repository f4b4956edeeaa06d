import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `fastV`. */
export interface FastVOptions extends KeepOptions {
  /** Decoder layer that drops rows. */
  layer?: number;
  /** Rank by attention with rotated queries and keys. */
  rope?: boolean;
}

/** FastV: the rows that the prompt's last row looked at in the second layer. */
export const fastV: Method<FastVOptions> = {
  name: "fastV",
  doc:
    "Drops rows once, as they are about to enter decoder layer `layer`, ranked by the attention of the prompt's last row " +
    "in the layer before, mean over heads. FastV, arXiv 2403.06764; layer 2 and half of the rows are its defaults, and " +
    "the last row (not the mean of all rows, as the paper says) is what the released code uses. Without `rope` the " +
    "ranking loses its bias towards the bottom of the picture (FEATHER, arXiv 2412.13180).",
  options: {
    keep: { kind: "ratio", default: 0.5, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
    layer: { kind: "layer", description: "drop as rows enter this decoder layer; default 2" },
    rope: { kind: "switch", default: true, description: "rank by attention with rotary positions" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  positions: "original",
  lower({ layer, rope, ...amount }, { nLayers }) {
    const at = layer ?? Math.min(2, nLayers - 1);
    return [
      {
        name: "fastV",
        hook: "decoder-layer",
        layer: at,
        steps: [
          { do: "probe", queries: "last", layer: at - 1, rope: rope as boolean, to: "attention" },
          { do: "select", by: "topK", score: "attention", keep: keepBudget(amount), to: "kept" },
          { do: "gather", rows: "kept" },
        ],
      },
    ];
  },
};
