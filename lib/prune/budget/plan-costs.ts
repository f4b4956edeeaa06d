import type { BudgetKind, Limit } from "./budget.js";
import type { CostFacts, PromptShape } from "./cost-facts.js";
import { type CostModel, predictMs } from "./cost-model.js";
import type { RowTrace } from "./trace-rows.js";
import { kvBytesOf, workOf } from "./work.js";

/** What a prompt costs under a plan. */
export interface PlanCosts {
  /** Visual rows that a decoder layer sees, all images together, mean over the layers. */
  rows: number;
  /** The same as a share of the prompt's visual rows; 1 when there are none. */
  ratio: number;
  /** Multiply-accumulates of encode and prefill. */
  macs: number;
  /** Bytes of the prompt in the KV cache. */
  kvBytes: number;
  /** Milliseconds of encode and prefill, choosing rows among them; only where they are known. */
  ms?: number;
}

/** The costs of a prompt whose rows are known. */
export function planCosts(trace: RowTrace, prompt: PromptShape, facts: CostFacts, model?: CostModel): PlanCosts {
  const work = workOf(trace, facts);
  const rows = trace.visual.reduce((sum, n) => sum + n, 0) / facts.nLayers;
  const promptRows = prompt.images.reduce((sum, n) => sum + n, 0);
  return {
    rows,
    ratio: promptRows === 0 ? 1 : rows / promptRows,
    macs: work.encode + work.prefill,
    kvBytes: kvBytesOf(
      trace.decoder.map(({ attention }) => attention),
      facts,
    ),
    ...(model !== undefined && { ms: predictMs(model, work, trace) }),
  };
}

/** Of all costs the one that a budget limits. */
export function costOf(kind: BudgetKind, { macs, ms = 0, ...costs }: PlanCosts): number {
  return { ...costs, flops: macs, ms }[kind];
}

/** What `costOf` may be at most, which for a share of the FLOPs depends on what a prompt costs without dropping rows. */
export function limitFor({ kind, limit }: Limit, unpruned: PlanCosts): number {
  return kind === "flops" && limit <= 1 ? limit * unpruned.macs : limit;
}
