import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Cen-Prune: DivPrune on better geometry. */
export const cenPrune: Method<KeepOptions> = {
  name: "cenPrune",
  doc:
    "DivPrune with the geometry corrected. Rows are compared after their mean is subtracted, because visual rows share " +
    "one large direction that makes all cosines look alike; and each row's distance is weighted by its distinctiveness, " +
    "minus its mean cosine (before centring) to the other rows, scaled to 0 to 1. It starts at the most distinctive row " +
    "and looks at the picture alone. Cen-Prune, its DivPrune variant; written from the paper's formulas, no code was " +
    "published. The paper gives budgets of 128, 64 and 32 of 576 rows and no default.",
  options: keepOptions,
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: (options) => [
    {
      name: "cenPrune",
      hook: "projected",
      steps: [
        { do: "features", by: "center", features: "hidden", to: "centered" },
        { do: "score", by: "distinctiveness", features: "hidden", to: "raw" },
        { do: "normalise", by: "minMax", score: "raw", to: "distinct" },
        { do: "select", by: "maxMin", features: "centered", weight: "distinct", keep: keepBudget(options), to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
