import { classAttention } from "../class-attention.js";
import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `hiRed`. */
export interface HiRedOptions extends KeepOptions {
  /** Share of the budget that images get alike. */
  even?: number;
}

/** HiRED: images in which there is more to see keep more rows. */
export const hiRed: Method<HiRedOptions> = {
  name: "hiRed",
  doc:
    "Deals one budget out among all images of the prompt, tiles among them: the part `even` to all alike, the rest by what " +
    "the tower sees in them at first glance, namely how many of that half of all rows each has that its class row (all rows, " +
    "in a tower without one) attends to most in layer 0. Within an image stay the rows of the largest attention in the last " +
    "layer that runs. HiRED, AAAI 2025 (arXiv 2408.10945). The released code knows which image is the small one of the whole " +
    "picture and gives it the even half of the budget by itself; here images are alike, so all of them share that half. With " +
    "one image it is fasterVlm. Its budgets are 10 to 40 per cent of the rows.",
  options: {
    keep: { kind: "ratio", default: 0.2, description: "share of all images' rows that stays" },
    count: { kind: "count", description: "rows that stay per image, in the mean, instead of keep" },
    even: { kind: "number", from: 0, to: 1, default: 0.5, description: "share of the budget that images get alike" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ even, ...amount }, facts) => [
    {
      name: "hiRed",
      hook: "projected",
      steps: [
        classAttention(facts, "glance", -facts.tower.nLayers),
        classAttention(facts, "attention"),
        {
          do: "allocate",
          by: "images",
          score: "glance",
          top: 0.5,
          even: even as number,
          keep: keepBudget(amount),
          to: "quota",
        },
        { do: "select", by: "topK", score: "attention", quota: "quota", to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
