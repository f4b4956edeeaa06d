/** Where a stage acts on rows of the stream, in the order of the forward pass. */
export type RowHook = "pixels" | "vision-layer" | "projected" | "decoder-layer";

/** Where a stage acts on the KV cache: once the prompt is through, and after each generated row. */
export type CacheHook = "prefilled" | "decode-step";

/** Where a stage acts. */
export type Hook = RowHook | CacheHook;

/** How many rows a `select` step keeps, per image. */
export interface KeepBudget {
  /** Share of the rows, in (0, 1]. Exactly one of ratio and count. */
  ratio?: number;
  /** Rows per image. */
  count?: number;
  /** Share of what: the rows that enter this stage, or the rows that entered decoder layer 0. */
  of: "stage" | "decoder";
  /** How ratio * rows becomes an integer. At least one row of each image is kept. */
  rounding: "trunc" | "half-even";
}

/**
 * One primitive of a lowered stage; native/prune/steps has a file for each. Steps hand values to each other by name:
 * `to` names what a step makes, other fields name what it reads. There are three kinds: scores (a number per row of
 * an image), features (a vector per row; "hidden" are the rows themselves) and rows (a choice of them). Values live
 * until rows are gathered.
 */
export type Step = ProbeStep | SelectStep | GatherStep;

/** Scores: attention that some rows give to each visual row at this layer, mean over queries and heads. */
export interface ProbeStep {
  do: "probe";
  /** The prompt's last row, all rows of text, or the text behind the last image (all text when there is none). */
  queries: "last" | "text" | "textAfter";
  /** Which keys share the probability; default `all`. */
  keys?: "all" | "visual";
  /** With rotated queries and keys, as the layer does it; default true. */
  rope?: boolean;
  to: string;
}

/** Rows: a choice of `keep` rows of each image. */
export type SelectStep = { do: "select"; keep: KeepBudget; to: string } & (
  | { by: "topK"; score: string }
  | { by: "maxMin"; features: string }
  | { by: "uniform" }
  | { by: "random"; seed: number }
);

/** Drops every visual row outside `rows`. */
export interface GatherStep {
  do: "gather";
  rows: string;
}
