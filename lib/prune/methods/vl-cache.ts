import type { Method } from "../method.js";

/** Options of `vlCache`. */
export interface VlCacheOptions {
  /** Share of the cached rows that stays, in the mean over layers. */
  keep?: number;
  /** Of the rows that stay, the share that goes to the latest ones. */
  recent?: number;
}

/** VL-Cache: layers with dense attention keep more, and the question behind the pictures chooses. */
export const vlCache: Method<VlCacheOptions> = {
  name: "vlCache",
  doc:
    "Shortens the KV cache after the prompt. Only the text behind the last picture is asked (all rows where no picture " +
    "is): the share of its attention that is below a hundredth of a row's largest is a layer's sparsity, budgets are in " +
    "proportion to what is not sparse, from 1 to 100 % of a layer, and each KV head keeps the rows it attends to most and " +
    "the latest ones. VL-Cache, arXiv 2410.23317, from the paper: there is no released code. keep = 1 keeps everything.",
  options: {
    keep: { kind: "ratio", default: 0.1, description: "share of the cached rows that stays, in the mean over layers" },
    recent: { kind: "number", from: 0, to: 1, default: 0.1, description: "share of these for the latest rows" },
  },
  keepAll: { keep: 1 },
  atShare: (stage, share) => ({ ...stage, keep: share }),
  lower({ keep, recent }, _facts, where) {
    const [score, quota] = [`score of ${where}`, `quota of ${where}`];
    const sparsity = { queries: "textAfter", below: 0.01, least: 0.01 } as const;
    return [
      {
        name: "vlCache",
        hook: "prefilled",
        steps: [
          { do: "mass", queries: "textAfter", heads: "kv", to: score },
          { do: "allocate", by: "sparsity", ratio: keep as number, ...sparsity, to: quota },
          { do: "select", by: "topK", score, quota, lastShare: recent as number, to: "kept" },
          { do: "compact", rows: "kept" },
        ],
      },
    ];
  },
};
