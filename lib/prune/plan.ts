/** What to prune and skip. Plain JSON: store it, send it, log it. */
export interface Plan {
  /**
   * Which position ids surviving rows carry: `compact` renumbers after every drop (the default, as PyramidDrop and
   * DivPrune do), `original` keeps the ids of the unpruned prompt, with gaps.
   */
  positions?: "compact" | "original";
  /** Applied in the order of the forward pass. */
  stages?: PlanStage[];
  /** Sub-layers that do not run. */
  skipLayers?: SkipLayers[];
}

/** One entry of a plan: a method's name and its options. */
export interface PlanStage {
  method: string;
  [option: string]: unknown;
}

/** Decoder sub-layers to leave out. */
export interface SkipLayers {
  part: "attention" | "ffn" | "block";
  /** 0-based decoder layers. */
  layers: number[];
  /** Default `both`. Attention skipped in prefill only is refused: decode would read a cache nobody wrote. */
  phase?: "both" | "prefill" | "decode";
}

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

/** One primitive of a lowered stage; native/prune/ has one file for each. */
export type PlanStep =
  | { do: "probe"; row: "last" }
  | { do: "select"; by: "topK" | "maxMin" | "uniform" | "random"; keep: KeepBudget; seed?: number };

/** A stage as native code runs it: primitives at a hook, no method names but for the report. */
export interface LoweredStage {
  name: string;
  hook: "projected" | "decoder-layer";
  /** For `decoder-layer`: rows are dropped as they are about to enter this layer. 1 <= layer < n_layers. */
  layer?: number;
  steps: PlanStep[];
}

/** A validated plan in primitives; what native code receives as JSON. */
export interface LoweredPlan {
  positions: "compact" | "original";
  stages: LoweredStage[];
  skip: { layer: number; part: "attention" | "ffn"; phase: "both" | "prefill" | "decode" }[];
}
