import { atDepth } from "../depth-share.js";
import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `vScan2`. */
export interface VScan2Options extends KeepOptions {
  /** Decoder layer that drops rows. */
  layer?: number;
  /** Rank by attention with rotated queries and keys. */
  rope?: boolean;
}

/** VScan's second stage: one drop half-way through the decoder. */
export const vScan2: Method<VScan2Options> = {
  name: "vScan2",
  doc:
    "Drops rows once, half-way through the decoder, ranked by this layer's own attention of the prompt's last row, mean " +
    "over heads. The second stage of VScan, arXiv 2505.22654; a third of the rows at layer 16 of 32 is its default, with " +
    "rotary positions on LLaVA, without them on Qwen. Its first stage selects at the vision tower's output.",
  options: {
    keep: { kind: "ratio", default: 1 / 3, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
    layer: { kind: "layer", description: "drop as rows enter this decoder layer; default: half-way" },
    rope: { kind: "switch", default: true, description: "rank by attention with rotary positions" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ layer, rope, ...amount }, { nLayers }) => [
    {
      name: "vScan2",
      hook: "decoder-layer",
      layer: layer ?? atDepth(1, 2, nLayers),
      steps: [
        { do: "probe", queries: "last", rope: rope as boolean, to: "attention" },
        { do: "select", by: "topK", score: "attention", keep: keepBudget(amount), to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
