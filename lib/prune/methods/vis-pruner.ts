import { classAttention } from "../class-attention.js";
import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `visPruner`. */
export interface VisPrunerOptions extends KeepOptions {
  /** Share of the kept rows that is kept for its attention. */
  important?: number;
}

/** VisPruner: the most attended patches, and the least alike among the others. */
export const visPruner: Method<VisPrunerOptions> = {
  name: "visPruner",
  doc:
    "Keeps, of each image, some rows for the attention of the vision tower's class row (of all rows, in a tower without " +
    "one) and completes them with diverse ones: the others, sorted by attention, are split into even and odd places, the " +
    "8 even ones most like an odd one go, and so on until enough are left. VisPruner, ICCV 2025; the half that is " +
    "important by default, the 8 and the order of each round are those of the released code, which needs an even number " +
    "of rows; this one takes any.",
  options: {
    keep: { kind: "ratio", default: 0.25, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
    important: { kind: "ratio", default: 0.5, description: "share of those that stays for its attention" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ important, ...amount }, facts) => [
    {
      name: "visPruner",
      hook: "vision-out",
      steps: [
        classAttention(facts, "attention"),
        {
          do: "select",
          by: "topK",
          score: "attention",
          keep: { ...keepBudget(amount), share: important as number },
          to: "important",
        },
        {
          do: "select",
          by: "dissimilar",
          beside: "important",
          score: "attention",
          features: "hidden",
          perRound: 8,
          keep: keepBudget(amount),
          to: "diverse",
        },
        { do: "union", of: ["important", "diverse"], to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
