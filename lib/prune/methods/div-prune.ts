import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `divPrune`. */
export type DivPruneOptions = KeepOptions;

/** DivPrune: the most diverse rows, chosen before the decoder sees any. */
export const divPrune: Method<DivPruneOptions> = {
  name: "divPrune",
  doc:
    "Keeps, of each image, the rows whose smallest cosine distance to each other is largest: greedy max-min diversity " +
    "over the projected rows, before decoder layer 0. It looks at the picture alone, not at the question. DivPrune, " +
    "arXiv 2503.02175; the default ratio 0.098 and its rounding (half to even) are those of the released code.",
  options: {
    keep: { kind: "ratio", default: 0.098, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: (options) => [
    {
      name: "divPrune",
      hook: "projected",
      steps: [
        { do: "select", by: "maxMin", features: "hidden", keep: keepBudget(options), to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
