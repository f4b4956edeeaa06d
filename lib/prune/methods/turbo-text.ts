import { atDepth } from "../depth-share.js";
import { type MergeSchedule, mergeSchedule } from "../merge-schedule.js";
import type { Method } from "../method.js";

/** Options of `turboText`. */
export interface TurboTextOptions extends MergeSchedule {
  /** How much the question's attention holds a row back from being merged away. */
  coefficient?: number;
  /** First decoder layer that merges. */
  layer?: number;
  /** Rows at the start of the prompt that take no part. */
  first?: number;
  /** Rows at its end that take no part, and whose attention holds others back. */
  last?: number;
}

/** Turbo on rows of text: those that are alike become one, unless the question looks at them. */
export const turboText: Method<TurboTextOptions> = {
  name: "turboText",
  doc:
    "Merges rows of text, not of images, as turbo does patches: as rows enter decoder layer `layer` and each one after it, " +
    "every second row of a stretch of text may go into the most similar of those between, by the layer's keys before " +
    "they are rotated, mean over heads; it is scored by that similarity minus coefficient times what the prompt's last " +
    "rows, where the question is, attend to it at that layer, mean over these rows and heads. Rows become means weighted by how many rows each " +
    "stands for, at the place of the one that stays. The prompt's first and last rows and special tokens take no part. " +
    "Turbo, ECCV 2024 (arXiv 2407.11717), whose paper gives text the information degree of patches; in place of the class " +
    "row's attention, which text has not, stands that of the last rows. Experimental: its released code only drops text, " +
    "in cross-attention, and has that switched off. Later attention counts a merged row once, as the KV cache keeps no " +
    "sizes. Short prompts lose what they need.",
  options: {
    keep: { kind: "ratio", default: 0.5, description: "share of each stretch of text that leaves the last layer" },
    remove: { kind: "count", description: "rows that every layer removes of each stretch of text, instead of keep" },
    coefficient: {
      kind: "number",
      from: 0,
      to: 1e6,
      default: 150,
      description: "weight of attention against likeness",
    },
    layer: { kind: "layer", description: "the first decoder layer that merges; default: a quarter of the depth" },
    first: { kind: "count", default: 4, description: "rows at the prompt's start that take no part" },
    last: {
      kind: "count",
      default: 16,
      description: "rows at the prompt's end that take no part, and hold others back",
    },
  },
  alternatives: ["keep", "remove"],
  keepAll: { keep: 1 },
  positions: "original",
  lower({ coefficient, layer, first, last, ...schedule }, { nLayers, specialTokens }, where) {
    const from = layer ?? atDepth(1, 4, nLayers);
    return mergeSchedule(schedule, nLayers - from, where).map((amount, i) => ({
      name: "turboText",
      hook: "decoder-layer",
      layer: from + i,
      over: "text",
      steps: [
        { do: "select", by: "edges", first: first as number, last: last as number, to: "edges" },
        { do: "select", by: "tokens", ids: specialTokens ?? [], to: "special" },
        { do: "union", of: ["edges", "special"], to: "fixed" },
        { do: "without", rows: "fixed", to: "free" },
        { do: "features", by: "keys", to: "keys" },
        { do: "probe", queries: "last", count: last as number, to: "attention" },
        {
          do: "merge",
          by: "bipartite",
          features: "keys",
          rows: "free",
          penalty: "attention",
          coefficient: coefficient as number,
          ...amount,
          reduce: "sizeMean",
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    }));
  },
};
