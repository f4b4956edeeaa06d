/** Where a stage acts on rows of the stream, in the order of the forward pass. */
export type RowHook = "pixels" | "vision-layer" | "vision-out" | "projected" | "decoder-layer";

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
  /** Share of what: the rows that enter this stage, or the rows that entered decoder layer 0 (in the tower: its own). */
  of: "stage" | "decoder";
  /**
   * How ratio * rows becomes an integer; `drop-half-even` rounds the rows that go. At least one row of each image is
   * kept.
   */
  rounding: "trunc" | "half-even" | "drop-half-even" | "half-up" | "ceil";
  /** Only this share of the rows that all this allows, cut to whole rows. */
  share?: number;
}

/**
 * One primitive of a lowered stage; native/prune/steps has a file for each. Steps hand values to each other by name:
 * `to` names what a step makes, other fields name what it reads. There are six kinds: scores (a number per row of
 * an image), features (a vector per row; "hidden" are the rows themselves), vectors (that belong to no row), rows (a
 * choice of them), queries (rows of text that ask) and quotas (how many rows stay where). Values live until rows are
 * gathered.
 */
export type Step =
  | ProbeStep
  | RatersStep
  | RecallStep
  | RowScoreStep
  | TowerStep
  | TapStep
  | TextStep
  | FeaturesStep
  | ScoreStep
  | NormaliseStep
  | CombineStep
  | SelectStep
  | AllocateRowsStep
  | ChoiceStep
  | BesideStep
  | CustomStep
  | UnionStep
  | WithoutStep
  | MergeStep
  | BypassStep
  | GatherStep;

/** Scores: attention that some rows give to each row of the stage's spans, mean over queries and heads. */
export interface ProbeStep {
  do: "probe";
  /**
   * The prompt's last `count` rows (default 1), all rows of text, the text behind the last image (all text when there
   * is none), or the queries that an earlier step named in `rows`.
   */
  queries: "last" | "text" | "textAfter" | "named";
  count?: number;
  rows?: string;
  /** Which keys share the probability; default `all`. */
  keys?: "all" | "visual";
  /** With rotated queries and keys, as the layer does it; default true. */
  rope?: boolean;
  /** The decoder layer whose attention it is: the one about to run, the default, or one before it, as it ran. */
  layer?: number;
  to: string;
}

/**
 * What the vision tower noted of the rows still here; at hooks behind the tower. Scores: `classAttention` (what the
 * class row attends to, mean over heads), `jointAttention` (the same with all heads as one), `columnAttention` (what all
 * rows attend to, mean over queries and heads) and `importance` (what those patches attend to that receive more than
 * `threshold` times the mean). Features: `keys` (mean over heads), `jointKeys` (all heads side by side) and `output` (what
 * the tower gave).
 */
export type TapStep = {
  do: "tap";
  /** Of the tower, counted from the last one that runs, which is -1, the default. `output` has no other. */
  layer?: number;
  to: string;
} & (
  | { of: "classAttention" | "jointAttention" | "columnAttention" | "keys" | "jointKeys" | "output" }
  | { of: "importance"; threshold: number }
);

/** What stages inside the tower can know; the last one at `pixels`, the others at `vision-layer`, keys inside the decoder too. */
export type TowerStep =
  /** Scores: what the class row attends to at this layer, mean over heads. */
  | { do: "probe"; by: "class"; to: string }
  /** Features: this layer's keys before they are rotated, mean over heads. */
  | { do: "features"; by: "keys"; to: string }
  /** Scores: page rank of this layer's attention; heads whose ranks vary too little or too much are left out. */
  | { do: "score"; by: "pageRank"; iterations: number; least: number; most: number; to: string }
  /** Rows: patches farther than tau from what their neighbours foretell. */
  | { do: "select"; by: "unforeseen"; tau: number; distance: "max" | "mean" | "rms"; to: string };

/** Vectors: rows of text as they are at this hook; before the decoder, the embeddings of the prompt's tokens. */
export interface TextStep {
  do: "text";
  /** As in ProbeStep. */
  rows: "text" | "textAfter";
  /** Every row, their mean, or the `count` with the largest sum of absolute values, in descending order. */
  take: "all" | "mean" | "longest";
  count?: number;
  to: string;
}

/** Features from features: `center` subtracts the mean over the image's rows. */
export interface FeaturesStep {
  do: "features";
  by: "center";
  features: string;
  to: string;
}

/**
 * Queries: rows of text behind the last image to which the picture's rows, as they entered decoder layer `layer`,
 * are more alike than to the mean row of text.
 */
export interface RatersStep {
  do: "raters";
  layer: number;
  to: string;
}

/** Features: the rows as they entered an earlier decoder layer. */
export interface RecallStep {
  do: "recall";
  layer: number;
  to: string;
}

/** Scores from features. */
export type ScoreStep = { do: "score"; features: string; to: string } & (
  | {
      /**
       * Mean cosine with vectors, times sign. `focusedCosine` takes the share of the vectors that point at the fewest
       * rows (lowest entropy of a softmax of 100 cos over rows, at least one) and weighs them by softmax(-entropy / 0.01).
       */
      by: "cosine" | "focusedCosine";
      vectors: string;
      sign?: 1 | -1;
      share?: number;
    }
  /** Minus the mean cosine with the other rows. */
  | { by: "distinctiveness" }
  /** The variance of the cosines with the rows of the same one of `parts` equal runs of rows; default 1. */
  | { by: "variance"; parts?: number }
  /** Sum of absolute values (1) or Euclidean length (2). */
  | { by: "norm"; p: 1 | 2 }
);

/** Scores of other origin. */
export type RowScoreStep = { do: "score"; to: string } & (
  | {
      /** Distance of two features, |a - b|. */
      by: "distance";
      a: string;
      b: string;
    }
  | {
      /** A learned router: gain * tanh(w x + b) + offset, with tensors of a safetensors file. */
      by: "linear";
      file: string;
      weight: string;
      bias: string;
      gain: number;
      offset: number;
    }
  | {
      /** The row's query times the keys of its image before softmax and mask, mean over heads and keys. */
      by: "logits";
    }
);

/** Scores from scores. */
export type NormaliseStep = {
  do: "normalise";
  score: string;
  to: string;
} /** To (0, 1]; equal scores become 1. Each of `parts` equal runs of rows apart; default 1. */ & (
  | { by: "minMax"; parts?: number }
  /** Divided by the mean of absolute values. */
  | { by: "mean" }
  | { by: "softmax"; temperature: number }
  /** Negative scores count as 0. */
  | { by: "power"; exponent: number }
  /** exp(scale * score) */
  | { by: "exp"; scale: number }
  /** A Gaussian over the picture; nothing is done to an image that does not have rows * columns rows. */
  | { by: "smooth3x3"; rows: number; columns: number }
);

/** Scores from scores, row by row. */
export type CombineStep = { do: "combine"; scores: string[]; to: string } & (
  | { by: "product" }
  | { by: "sum"; factors: number[] }
);

/** How a coverage selection is computed; `lazy` and `exact` choose the same, `block8` takes eight rows at a time. */
export type CoverageAlgorithm = "lazy" | "exact" | "block8";

/** Something that chosen rows are to resemble: vectors or, without them, all rows of the image. */
export interface CoverageTerm {
  features: string;
  vectors?: string;
  /** Scores: how much each row matters when rows are covered. */
  weight?: string;
  /** Of this term against others; shared evenly by what it covers. Default 1. */
  scale?: number;
  /** Softmax over rows of cosine / temperature instead of cosine. */
  temperature?: number;
  /** How well something is covered by no row; default 0. */
  floor?: number;
}

/** Quotas: what a budget allows, dealt out by scores. */
export type AllocateRowsStep = { do: "allocate"; score: string; keep: KeepBudget; to: string } & (
  | {
      /**
       * Among the images of the prompt: the share `even` by their rows, the rest by how many of the best-scored rows of
       * all images, the share `top` of them, each has.
       */
      by: "images";
      top: number;
      even: number;
    }
  /** Among so many equal runs of an image's rows, by their mean score. */
  | { by: "parts"; parts: number }
);

/** Rows: a choice without a budget. */
export type ChoiceStep = { do: "select"; to: string } & (
  | {
      /** Every stride-th row and column of the picture. */
      by: "grid";
      stride: number;
    }
  | { by: "none" }
  /** Rows whose score is more than `reach` interquartile ranges above the third quartile; at least one. */
  | { by: "outliers"; score: string; reach: number }
  /** Rows of the largest scores, as many as `quota` says. */
  | { by: "topK"; score: string; quota: string }
  | {
      /** All rows if the scores of all images add up to `atLeast`, else none. */
      by: "mass";
      score: string;
      atLeast: number;
    }
  | {
      /** All rows or none, as a classifier of the text says; weights names its two matrices. */
      by: "classifier";
      file: string;
      weights: readonly [string, string];
    }
  | {
      /**
       * Rows whose score, the mean of the scores `of`, is above a threshold made of these scores' means over the image
       * by a chain of linear maps and a sigmoid; at least `atLeast` rows (default 1). With `rows`: these if `value` is
       * above the threshold, else none.
       */
      by: "learned";
      of: readonly string[];
      file: string;
      chain: readonly string[];
      atLeast?: number;
      rows?: string;
      value?: number;
    }
  | {
      /** Of a stage over text: the first and the last rows of the prompt. */
      by: "edges";
      first: number;
      last: number;
    }
  | {
      /** Of a stage over text: the rows of these tokens. */
      by: "tokens";
      ids: readonly number[];
    }
);

/** Rows: a choice of `keep` rows of each image. `weight` and `worth` name scores. */
export type SelectStep = {
  do: "select";
  keep: KeepBudget;
  to: string;
} /** With `among`, of these rows, which the budget then is of. */ & (
  | { by: "topK"; score: string; among?: string }
  | { by: "maxMin"; features: string; weight?: string }
  /** `parts`: so many equal runs of rows, each with its share of the budget. */
  | { by: "dpp"; features: string; weight?: string; parts?: number }
  | { by: "coverage"; cover: CoverageTerm[]; worth?: string; algorithm: CoverageAlgorithm }
  /** The rows of the largest scores and those unlike them and unlike the vectors. */
  | { by: "pivots"; features: string; score: string; pivots: number; vectors: string }
  | { by: "uniform" }
  | { by: "random"; seed: number }
);

/** Rows that complete `beside`, which are kept already, to the budget. */
export type BesideStep = {
  do: "select";
  keep: KeepBudget;
  to: string;
} /** Evenly spaced among the others, from the first. */ & (
  | { by: "stride"; beside: string }
  /** Dropping, by `perRound`, those most like another (native/prune/select_beside.h). */
  | { by: "dissimilar"; beside: string; score: string; features: string; perRound: number }
  /** Dropping those of the lower half of scores that are most like one of the upper half. */
  | { by: "unlike"; beside?: string; score: string; features: string }
);

/** Scores, or rows that stay, as the function `use` of the request says; before the decoder and inside it. */
export interface CustomStep {
  do: "score" | "select";
  by: "custom";
  use: string;
  to: string;
}

/** Rows: those in any of the sets. */
export interface UnionStep {
  do: "union";
  of: string[];
  to: string;
}

/** Rows: every row of the image that is not among `rows`. */
export interface WithoutStep {
  do: "without";
  rows: string;
  to: string;
}

/**
 * Folds rows into others, which then are a mean: plain, counting each as often as the rows it stands for, or by `weight`
 * (scores); or the row itself plus the mean of what folds into it, or plus all of that by weight; or the sum of all by
 * weight.
 */
export type MergeStep = {
  do: "merge";
  reduce: "mean" | "sizeMean" | "addMean" | "weightedMean" | "addWeighted" | "weightedSum";
  weight?: string;
} /** Each of `from` into the most similar of `into`. */ & (
  | { by: "nearest"; features: string; from: string; into: string }
  /** Each of `into` takes in the `count` of `from` that are most like it; a row may go to several. */
  | { by: "neighbours"; features: string; from: string; into: string; count: number }
  /** `rows` gather round the densest of them, so many as `keep` says of them; `to`: these. */
  | { by: "density"; features: string; rows: string; keep: KeepBudget; to: string }
  /** Every second row, or every second of `rows`, into the most similar of those between; `to`: the rows that are left. */
  | ({ by: "bipartite"; features: string; rows?: string; penalty?: string; coefficient?: number; to: string } & (
      | { keep: KeepBudget }
      | { remove: number }
    ))
  /** Rows of one square of the picture, `side` patches wide, into that of the largest weight; `to`: what is left. */
  | { by: "cells"; side: number; rows?: string; to: string }
);

/**
 * Rows outside `rows` run past the layer about to run, multiplied by their score in `gain`; what its FFN adds to the
 * others is multiplied by theirs. Behind the layer all rows are there again.
 */
export interface BypassStep {
  do: "bypass";
  rows: string;
  gain: string;
}

/** Drops every row of the stage's spans outside `rows`. */
export interface GatherStep {
  do: "gather";
  rows: string;
}
