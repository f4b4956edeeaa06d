import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `divPrune`. */
export interface DivPruneOptions extends KeepOptions {
  /** Compare rows by what sets them apart from the image's mean row. */
  center?: boolean;
}

/** DivPrune: the most diverse rows, chosen before the decoder sees any. */
export const divPrune: Method<DivPruneOptions> = {
  name: "divPrune",
  doc:
    "Keeps, of each image, the rows whose smallest cosine distance to each other is largest: greedy max-min diversity " +
    "over the projected rows, before decoder layer 0. It looks at the picture alone, not at the question. DivPrune, " +
    "arXiv 2503.02175; the default ratio 0.098 and its rounding (half to even) are those of the released code. " +
    "With center, cosines are taken between rows minus their mean, as Cen-Prune proposes: projected rows share one large " +
    "direction, which makes all of them look alike; cenPrune weighs them too.",
  options: {
    keep: { kind: "ratio", default: 0.098, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
    center: { kind: "switch", default: false, description: "subtract the image's mean row before comparing" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ center, ...amount }) => [
    {
      name: "divPrune",
      hook: "projected",
      steps: [
        ...(center ? [{ do: "features", by: "center", features: "hidden", to: "centered" } as const] : []),
        { do: "select", by: "maxMin", features: center ? "centered" : "hidden", keep: keepBudget(amount), to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
