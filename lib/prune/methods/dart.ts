import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `dart`. */
export interface DartOptions extends KeepOptions {
  /** Rows of each image that guide the choice, and stay. */
  image_pivots?: number;
  /** Tokens of the text that guide the choice. */
  text_pivots?: number;
}

/** DART: rows that do not duplicate a few pivots. */
export const dart: Method<DartOptions> = {
  name: "dart",
  doc:
    "Keeps, of each image, a few pivots, the rows of the largest norm, and the rows least similar to them and to the text " +
    "tokens of the largest norm behind the image: each pivot in turn takes an equal share of what is left of the budget. " +
    "The cheapest way to diversity. DART, arXiv 2502.11494, in the variant on embeddings that TensorRT-Edge-LLM ships: " +
    "before the decoder, L1 norms, 4 + 4 pivots, a quarter dropped, the number of rows rounded up. The released code " +
    "visits pivots in the order of a Python set and loses rows when the budget does not divide; here image pivots come " +
    "first, by descending norm, then text pivots, and the budget is filled exactly.",
  options: {
    keep: { kind: "ratio", default: 0.75, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
    image_pivots: { kind: "count", default: 4, description: "rows of each image that guide the choice" },
    text_pivots: { kind: "count", default: 4, description: "tokens of the text that guide the choice" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ image_pivots = 4, text_pivots = 4, ...amount }) => [
    {
      name: "dart",
      hook: "projected",
      steps: [
        { do: "text", rows: "textAfter", take: "longest", count: text_pivots, to: "guides" },
        { do: "score", by: "norm", p: 1, features: "hidden", to: "norm" },
        {
          do: "select",
          by: "pivots",
          features: "hidden",
          score: "norm",
          pivots: image_pivots,
          vectors: "guides",
          keep: { ...keepBudget(amount), rounding: "ceil" },
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
