import { classAttention } from "../class-attention.js";
import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `holoV`. */
export interface HoloVOptions extends KeepOptions {
  /** What variety counts against attention. */
  variety?: number;
}

/** Runs of rows, from the top of the picture to its bottom, that share an image's budget. */
const parts = 16;

/** HoloV: the most attended rows of every part of the picture, more of them where more happens. */
export const holoV: Method<HoloVOptions> = {
  name: "holoV",
  doc:
    "Cuts each image's rows into 16 runs, from top to bottom, and deals its budget out among them by their mean score: what " +
    "the tower's class row (all rows, in a tower without one) attends to, plus variety times the variance of a row's " +
    "cosines with its run, both scaled to the same mean. Within a run the most attended rows stay. HoloV, NeurIPS 2025; runs, " +
    "variety and scales are the released code's. As there a row's cosine with itself counts as 0 and what rounding leaves " +
    "over goes to the run of the largest score; a quota larger than its run, which the code pads with zeros, goes on to the " +
    "next, and rows stay in the order of the picture. Features are the tower's output, before the projector. The paper's " +
    "budgets are 192, 128 and 64 of 576 rows; there is no default.",
  options: {
    ...keepOptions,
    variety: { kind: "number", from: 0, to: 1000, default: 0.09, description: "weight of variety against attention" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ variety, ...amount }, facts) => [
    {
      name: "holoV",
      hook: "vision-out",
      steps: [
        classAttention(facts, "attention"),
        { do: "normalise", by: "mean", score: "attention", to: "attended" },
        { do: "score", by: "variance", features: "hidden", parts, to: "variance" },
        { do: "normalise", by: "mean", score: "variance", to: "varied" },
        { do: "combine", by: "sum", scores: ["attended", "varied"], factors: [1, variety as number], to: "worth" },
        { do: "allocate", by: "parts", score: "worth", parts, keep: keepBudget(amount), to: "quota" },
        { do: "select", by: "topK", score: "attention", quota: "quota", to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
