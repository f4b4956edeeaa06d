import type { KeepBudget } from "./step.js";

/** The two ways to say how much a stage keeps. */
export interface KeepOptions {
  /** Share of the rows that enter the stage. */
  keep?: number;
  /** Rows of each image. */
  count?: number;
}

/** The schema of KeepOptions for a method whose paper gives numbers of rows and no share. */
export const keepOptions = {
  keep: { kind: "ratio", description: "share of each image's rows that stays" },
  count: { kind: "count", description: "rows that stay per image, instead of keep" },
} as const;

/** Budget of a stage that keeps a share of what enters it, or a number of rows. */
export function keepBudget({ keep, count }: KeepOptions): KeepBudget {
  const amount = count !== undefined ? { count } : { ratio: keep as number };
  // Half to even is what DivPrune's released code does; the baselines follow, so that equal ratios keep equal rows.
  return { ...amount, of: "stage", rounding: "half-even" };
}
