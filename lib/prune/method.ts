import type { OptionSpec } from "./option.js";
import type { LoweredStage, PlanStage } from "./plan.js";

/** What a plan has to know of the model it is made for. */
export interface PlanFacts {
  /** Decoder layers. */
  nLayers: number;
  /** The vision tower. */
  tower: {
    /** Layers that run. */
    nLayers: number;
    /** Side of the square picture it sees, in pixels. */
    imageSize: number;
    /** Side of the square that becomes one row, in pixels. */
    patchSize: number;
    /** Whether a class row runs beside the patches. */
    hasClassRow: boolean;
    /** Whether rows may leave before the projector. */
    isPrunable: boolean;
  };
  /** Ids of the tokenizer's special tokens. */
  specialTokens?: readonly number[];
}

/**
 * A published pruning method: a name, options, and how they become primitives at hooks. Nothing else in Fovea knows
 * the name of a method.
 */
export interface Method<Options extends object = object> {
  /** As written in a plan. */
  name: string;
  /** What it does, the paper, and where the defaults come from. */
  doc: string;
  options: { [Name in keyof Options]-?: OptionSpec };
  /**
   * Options that say the same thing in different ways: at most one may be given. When none is, the one with a
   * default stands; when none has a default, one must be given.
   */
  alternatives?: readonly string[];
  /** Options that say how much stays, any of which closes a stage to budgets. Default: the alternatives, or `keep`. */
  budgets?: readonly string[];
  /**
   * Ratios and layers that `fovea tune` searches, unless a stage gives them or an alternative. Default: `keep`, where
   * that is a ratio.
   */
  tunable?: readonly string[];
  /** Its stages make pictures smaller while they are preprocessed (RowStage.limit). */
  shrinksPictures?: boolean;
  /** Options under which every row stays; tests hold every method to changing no bit then. Not of methods that cannot. */
  keepAll?: Options;
  /** Which position ids survivors carry where the plan does not say; default `compact`. */
  positions?: "original";
  /**
   * The stages of this method in primitives.
   *
   * @param options - validated against the schema, defaults filled in.
   * @param where - place of this entry in the plan, for errors that concern several options at once.
   */
  lower(options: Options, facts: PlanFacts, where: string): LoweredStage[];
  /**
   * The stage with the budget that leaves `share` of the visual rows, mean over the decoder's layers. Needed only by
   * methods that one option `keep` does not govern; for the others it is solved for. Methods on the KV cache drop no
   * rows of the stream: they leave that share of the cached rows.
   *
   * @throws FoveaError ERR_FOVEA_PLAN when the method cannot leave that share.
   */
  atShare?(stage: PlanStage, share: number, facts: PlanFacts): PlanStage;
}
