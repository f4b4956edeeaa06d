import { classAttention } from "../class-attention.js";
import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `fasterVlm`. */
export type FasterVlmOptions = KeepOptions;

/** FasterVLM: the patches that the tower's class row attends to most. */
export const fasterVlm: Method<FasterVlmOptions> = {
  name: "fasterVlm",
  doc:
    "Keeps, of each image, the rows that the vision tower's class row attends to most in the tower's last layer that " +
    "runs, mean over heads; in a tower without a class row, the rows that all others attend to most. It looks at the " +
    "picture alone. FasterVLM, arXiv 2412.01818; its tables keep 50 %, 25 %, 10 % and 5 %.",
  options: {
    keep: { kind: "ratio", default: 0.25, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: (options, facts) => [
    {
      name: "fasterVlm",
      hook: "vision-out",
      steps: [
        classAttention(facts, "attention"),
        { do: "select", by: "topK", score: "attention", keep: keepBudget(options), to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
