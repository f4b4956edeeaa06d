import { coverageAlgorithm } from "../coverage-algorithm.js";
import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import type { CoverageAlgorithm } from "../step.js";

/** Options of `scope`. */
export interface ScopeOptions extends KeepOptions {
  /** Exponent of the class row's attention. */
  alpha?: number;
  algorithm?: CoverageAlgorithm;
}

/** SCOPE: rows that are salient and cover the picture. */
export const scope: Method<ScopeOptions> = {
  name: "scope",
  doc:
    "Keeps, of each image, the rows that cover the tower's features best, where what a row adds to the coverage (by " +
    "cosine) is multiplied by its saliency: what the tower's class row attends to in the last layer that runs, to the " +
    "power of alpha. It looks at the picture alone and needs a tower with a class row. SCOPE (NeurIPS 2025); alpha 1 is " +
    "the released code's default, whose additive variant is not offered. The code computes in half precision, where " +
    "ties are common; here they are not. The paper gives budgets of 128, 64 and 32 of 576 rows and no default.",
  options: {
    ...keepOptions,
    alpha: { kind: "number", from: 0.01, to: 100, default: 1, description: "exponent of the class row's attention" },
    algorithm: coverageAlgorithm,
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ alpha = 1, algorithm = "lazy", ...amount }) => [
    {
      name: "scope",
      hook: "projected",
      steps: [
        { do: "tap", of: "output", to: "seen" },
        { do: "tap", of: "classAttention", to: "attention" },
        { do: "normalise", by: "power", score: "attention", exponent: alpha, to: "saliency" },
        {
          do: "select",
          by: "coverage",
          cover: [{ features: "seen" }],
          worth: "saliency",
          algorithm,
          keep: keepBudget(amount),
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
