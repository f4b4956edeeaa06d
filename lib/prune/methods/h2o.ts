import { type CacheStep, shareOf } from "../cache-step.js";
import type { KeepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import type { CacheHook } from "../step.js";

/** Options of `h2o`. */
export interface H2oOptions extends KeepOptions {
  /** Of the rows that stay, the share that goes to the latest ones. */
  recent?: number;
  /** Go on while decoding. */
  decode?: boolean;
}

/** H2O: each KV head keeps the rows that gathered the most attention so far, and the latest ones. */
export const h2o: Method<H2oOptions> = {
  name: "h2o",
  doc:
    "Shortens the KV cache after the prompt and after each token: each KV head keeps its heavy hitters, the rows that all " +
    "queries so far gave the most attention, and the latest rows. H2O, arXiv 2306.14048; the defaults, a tenth of the rows " +
    "for heavy hitters and a tenth for the latest, are those of the paper, where the budget is fixed at the prompt; here " +
    "`keep` is a share of all rows so far and `count` is fixed.",
  options: {
    keep: { kind: "ratio", default: 0.2, description: "share of each layer's rows so far that stays" },
    count: { kind: "count", description: "cached rows that stay per layer, instead of keep" },
    recent: { kind: "number", from: 0, to: 1, default: 0.5, description: "share of these for the latest rows" },
    decode: { kind: "switch", default: true, description: "keep to the budget while decoding, too" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  atShare: (stage, share) => ({ ...stage, keep: share }),
  lower({ recent, decode, ...amount }, _facts, where) {
    const [score, quota] = [`score of ${where}`, `quota of ${where}`];
    const stage = (hook: CacheHook, add: boolean) => ({
      name: "h2o",
      hook,
      steps: [
        { do: "mass", queries: "all", heads: "kv", add, to: score },
        shareOf(amount, quota),
        { do: "select", by: "topK", score, quota, lastShare: recent as number, to: "kept" },
        { do: "compact", rows: "kept" },
      ] satisfies CacheStep[],
    });
    return [stage("prefilled", false), ...(decode ? [stage("decode-step", true)] : [])];
  },
};
