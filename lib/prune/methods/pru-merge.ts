import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";
import { planError } from "../plan-error.js";
import type { Step } from "../step.js";

/** Options of `pruMerge`. */
export interface PruMergeOptions extends KeepOptions {
  /** As many rows as stand out by so many interquartile ranges. */
  outliers?: number;
  /** Spread three quarters of the kept rows evenly over the picture. */
  plus?: boolean;
  /** Rows that each kept row takes in. */
  neighbours?: number;
}

/** LLaVA-PruMerge: rows that stand out take in the rows around them. */
export const pruMerge: Method<PruMergeOptions> = {
  name: "pruMerge",
  doc:
    "Keeps, of each image, the rows whose class attention stands out, more than `outliers` interquartile ranges above the third " +
    "quartile, or as many as keep or count say. To each is added what its 32 nearest rows by key hold, each times its " +
    "attention, and one row more is the sum of all dropped rows times theirs. Attention is read as one head as wide as the " +
    "tower, and keys are those of all heads side by side. LLaVA-PruMerge, arXiv 2403.15388; constants are the released " +
    "code's. plus is PruMerge+: of keep or count a quarter stands out and the rest is spread evenly over the others; its " +
    "code, which spreads a number that depends on the picture, keeps about as many of each kind. Different here: it reads " +
    "the last tower layer that runs, where the code reads the one behind it; only dropped rows are taken in, so that " +
    "keeping every row changes nothing; and the one row more stands where the most attended dropped row stood, not at the " +
    "end. Sums are not means, as published: the decoder sees longer rows than it was trained on. It needs a tower with a " +
    "class row.",
  options: {
    keep: { kind: "ratio", description: "share of each image's rows that stays, instead of outliers" },
    count: { kind: "count", description: "rows that stay per image, instead of outliers" },
    outliers: {
      kind: "number",
      from: 0.01,
      to: 1000,
      default: 1.5,
      description: "interquartile ranges above the third quartile",
    },
    plus: { kind: "switch", default: false, description: "spread three quarters of the kept rows evenly" },
    neighbours: { kind: "count", default: 32, description: "rows that each kept row takes in" },
  },
  alternatives: ["keep", "count", "outliers"],
  budgets: ["keep", "count"],
  keepAll: { keep: 1 },
  lower({ outliers, plus, neighbours, ...amount }, { tower }, where) {
    if (!tower.hasClassRow) {
      throw planError(
        `${where}.method`,
        "pruMerge",
        "a method that needs no class row: this model's tower has none",
        "Use visionZip.",
      );
    }
    if (plus && outliers !== undefined) {
      throw planError(`${where}.plus`, true, "keep or count with it", "They say how many rows are spread.");
    }
    return [
      {
        name: "pruMerge",
        hook: "vision-out",
        steps: [
          { do: "tap", of: "jointAttention", to: "attention" },
          { do: "tap", of: "jointKeys", to: "keys" },
          ...(outliers === undefined ? chosen(amount, plus as boolean) : standingOut(outliers)),
          { do: "without", rows: "kept", to: "dropped" },
          {
            do: "merge",
            by: "neighbours",
            features: "keys",
            from: "dropped",
            into: "kept",
            count: neighbours as number,
            reduce: "addWeighted",
            weight: "attention",
          },
          {
            do: "select",
            by: "topK",
            score: "attention",
            among: "dropped",
            keep: { count: 1, of: "stage", rounding: "trunc" },
            to: "extra",
          },
          { do: "union", of: ["kept", "extra"], to: "left" },
          { do: "without", rows: "left", to: "gone" },
          {
            do: "merge",
            by: "nearest",
            features: "keys",
            from: "gone",
            into: "extra",
            reduce: "weightedSum",
            weight: "attention",
          },
          { do: "gather", rows: "left" },
        ],
      },
    ];
  },
};

function standingOut(reach: number): Step[] {
  return [{ do: "select", by: "outliers", score: "attention", reach, to: "kept" }];
}

function chosen(amount: KeepOptions, plus: boolean): Step[] {
  const keep = keepBudget(amount);
  if (!plus) return [{ do: "select", by: "topK", score: "attention", keep, to: "kept" }];
  return [
    { do: "select", by: "topK", score: "attention", keep: { ...keep, share: 0.25 }, to: "prominent" },
    { do: "select", by: "stride", beside: "prominent", keep, to: "spread" },
    { do: "union", of: ["prominent", "spread"], to: "kept" },
  ];
}
