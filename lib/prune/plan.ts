import type { Hook, Step } from "./step.js";

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

/** A stage as native code runs it: primitives at a hook, no method names but for the report. */
export interface LoweredStage {
  name: string;
  hook: Hook;
  /**
   * For `vision-layer`: the tower's layer, 0-based, between whose attention and FFN the steps run. For `decoder-layer`:
   * rows are dropped as they are about to enter this layer, 1 <= layer < n_layers.
   */
  layer?: number;
  steps: Step[];
}

/** A validated plan in primitives; what native code receives as JSON. */
export interface LoweredPlan {
  positions: "compact" | "original";
  stages: LoweredStage[];
  skip: { layer: number; part: "attention" | "ffn"; phase: "both" | "prefill" | "decode" }[];
}
