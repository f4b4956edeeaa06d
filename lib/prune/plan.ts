import type { Budget } from "./budget/budget.js";
import type { CacheStep } from "./cache-step.js";
import type { PictureLimit } from "./picture-limit.js";
import type { CacheHook, RowHook, Step } from "./step.js";

/** What to prune and skip. Plain JSON: store it, send it, log it. */
export interface Plan {
  /**
   * Which position ids surviving rows carry: `compact` renumbers after every drop, `original` keeps the ids of the
   * unpruned prompt, with gaps. Where pictures lie on grids of positions (M-RoPE), `compact` leaves every row at its place
   * in its picture, and moves up pictures and text behind a gap. Default: each method as its authors have it; `compact` where they do not matter.
   */
  positions?: "compact" | "original";
  /** Applied in the order of the forward pass. */
  stages?: PlanStage[];
  /** What the prompt may cost, for stages that do not say how much they keep: all of them are set to the same share. */
  budget?: Budget;
  /** Sub-layers that do not run. */
  skipLayers?: SkipLayers[];
  /** Guess tokens with a part of the model and check them with all of it: the same text in fewer steps. */
  draft?: Draft;
  /** Stop each generated token at the first layer that is sure enough. Not together with `draft`. */
  exit?: Exit;
  /** Anything; nobody reads it. `fovea tune` writes here what a plan is worth. */
  notes?: unknown;
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

/**
 * Self-speculative decoding: the model without some sub-layers guesses a few tokens, the whole model checks them in one
 * forward and says the first one that was wrong, or one more. The tokens are those of ordinary decoding, also when
 * sampling: the guesses are drawn with the sampler's own random numbers.
 */
export interface Draft {
  /** What guesses leave out besides what the plan leaves out; with `search`, to begin with. Default: see `search`. */
  skipLayers?: Omit<SkipLayers, "phase">[];
  /** Guesses per check, 1 to 64; default 8. */
  max?: number;
  /** A guess whose probability is below this is the last one before a check; default 0.8. */
  stopProbability?: number;
  /** Let `stopProbability` follow how many guesses were right; default true. */
  adapt?: boolean;
  /**
   * Look for a better set while generating. Without `skipLayers` that is the default, and begins with both halves of
   * every odd layer but the last.
   */
  search?: DraftSearch;
}

/** How drafts look for the sub-layers they can do without. The first and the last layer always run. */
export interface DraftSearch {
  /** Share of the other layers' sub-layers that a proposal leaves out; default 0.45. */
  skipRatio?: number;
  /** Generated tokens that a proposal is scored on, 1 to 1024; default 32. */
  context?: number;
  /** Stop searching when a set guesses this share of them; default 0.95. */
  stopScore?: number;
  /** Stop after so many proposals in a row that were no better; default 300. */
  patience?: number;
  /** Stop after so many proposals; default 1000. */
  proposals?: number;
  /** Start of the random numbers; default 0. */
  seed?: number;
}

/** Early exit while decoding: the tokens may differ from those of the whole model. */
export interface Exit {
  /** Layers after which a token may stop, ascending, without the last; default all of them. */
  layers?: number[];
  /**
   * A token stops where the probability of having stopped, 1 - product of (1 - highest probability of the logit lens)
   * over the layers so far, exceeds this. 0 stops at the first of `layers`, 1 never; default 0.5.
   */
  q?: number;
}

/** A stage as native code runs it: primitives at a hook, no method names but for the report. */
export type LoweredStage = RowStage | CacheStage;

/** A stage on rows of the stream. */
export interface RowStage {
  name: string;
  hook: RowHook;
  /**
   * For `vision-layer`: the tower's layer, 0-based, between whose attention and FFN the steps run. For `decoder-layer`:
   * rows are dropped as they are about to enter this layer, 1 <= layer < n_layers.
   */
  layer?: number;
  /** For `pixels`: how large pictures may be. Preprocessing obeys it; native code has no part. */
  limit?: Partial<PictureLimit>;
  /** Which rows its steps choose among: those of each image, the default, or those of each stretch of text. */
  over?: "images" | "text";
  /** Default: the plan's. */
  positions?: "compact" | "original";
  steps: Step[];
}

/** A stage on the KV cache, for all layers at once. */
export interface CacheStage {
  name: string;
  hook: CacheHook;
  layer?: undefined;
  steps: CacheStep[];
}

/** Whether a stage acts on the KV cache. */
export function isCacheStage(stage: LoweredStage): stage is CacheStage {
  return stage.hook === "prefilled" || stage.hook === "decode-step";
}

/** A validated plan in primitives; what native code receives as JSON. */
export interface LoweredPlan {
  positions: "compact" | "original";
  stages: LoweredStage[];
  skip: { layer: number; part: "attention" | "ffn"; phase: "both" | "prefill" | "decode" }[];
  draft?: LoweredDraft;
  exit?: Required<Exit>;
}

/** A draft with every default filled in. */
export interface LoweredDraft extends Required<Omit<Draft, "skipLayers" | "search">> {
  skip: { layer: number; part: "attention" | "ffn" }[];
  search?: Required<DraftSearch>;
}
