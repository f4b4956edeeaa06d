import type { KeepOptions } from "./keep-budget.js";

/** Whose attention is measured: all rows, the text behind the last image, or the last `window` rows. */
export interface CacheQueries {
  queries: "all" | "textAfter" | "last";
  window?: number;
}

/**
 * One primitive of a stage at `prefilled` or `decode-step`; native/prune/cache_steps has a file for each. Such a stage
 * runs once for all layers: scores and rows have an entry per decoder layer, or per layer and KV head. Scores and
 * quotas outlive the stage, rows last until they are compacted.
 */
export type CacheStep = MassStep | PoolStep | AllocateStep | CacheSelectStep | CompactStep;

/** Scores: attention that each cached row got, as its layer attended. At `decode-step` the queries are `all`. */
export interface MassStep extends CacheQueries {
  do: "mass";
  /** Mean over all heads, or over the query heads of each KV head. */
  heads: "all" | "kv";
  /** To the scores `to` of an earlier step; rows that are new since stand behind the others. */
  add?: boolean;
  to: string;
}

/** Scores: a moving average over `kernel` rows, but for the last `last` rows, which it leaves alone. */
export interface PoolStep {
  do: "pool";
  score: string;
  kernel: number;
  last: number;
  to: string;
}

/** A quota: how many rows each layer may hold; `protect` of them in any case. */
export type AllocateStep = { do: "allocate"; to: string } & (
  | { by: "share"; ratio?: number; count?: number }
  | { by: "evict"; evict: number[]; protect: number }
  | { by: "prefix"; score: string; evict: number; protect: number }
  | ({ by: "sparsity"; ratio: number; below: number; least: number } & CacheQueries)
);

/**
 * Rows: the first, the last (a number, or a share of the quota) and the best of the others; or all but one at a fixed
 * slot, `behind` rows before the end of the quota, while the layer holds more than its share.
 */
export type CacheSelectStep = { do: "select"; quota: string; to: string } & (
  | { by: "topK"; score: string; first?: number; last?: number; lastShare?: number }
  | { by: "slot"; behind: number }
);

/** Drops every cached row outside `rows`. */
export interface CompactStep {
  do: "compact";
  rows: string;
}

/** The same budget for every layer. */
export function shareOf({ keep, count }: KeepOptions, to: string): AllocateStep {
  return { do: "allocate", by: "share", ...(count !== undefined ? { count } : { ratio: keep as number }), to };
}
