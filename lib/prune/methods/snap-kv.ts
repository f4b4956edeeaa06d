import { shareOf } from "../cache-step.js";
import type { KeepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import { planError } from "../plan-error.js";

/** Options of `snapKv`. */
export interface SnapKvOptions extends KeepOptions {
  /** Last rows of the prompt that choose, and stay. */
  window?: number;
  /** Rows that the scores are averaged over. */
  kernel?: number;
}

/** SnapKV: each KV head keeps the rows that the end of the prompt looks at. */
export const snapKv: Method<SnapKvOptions> = {
  name: "snapKv",
  doc:
    "Shortens the KV cache after the prompt: each KV head keeps the rows that the last rows of the prompt attend to most, " +
    "smoothed over neighbours, and these last rows themselves. Acts on text as on pictures. SnapKV, arXiv 2404.14469; " +
    "window 32 and an average over 5 rows are those of the released code, whose budget is a number of rows (`count`). " +
    "Query heads that share a KV head are summed before rows are chosen.",
  options: {
    keep: { kind: "ratio", default: 0.25, description: "share of each layer's cached rows that stays" },
    count: { kind: "count", description: "cached rows that stay per layer, instead of keep" },
    window: { kind: "count", default: 32, description: "last rows of the prompt that choose, and stay" },
    kernel: { kind: "count", default: 5, description: "rows that scores are averaged over, an odd number" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  atShare: (stage, share) => ({ ...stage, keep: share }),
  lower(options, _facts, where) {
    const window = options.window as number;
    const kernel = options.kernel as number;
    if (kernel % 2 === 0 || kernel > 255) throw planError(`${where}.kernel`, kernel, "an odd number of rows, 1 to 255");
    const [score, quota] = [`score of ${where}`, `quota of ${where}`];
    return [
      {
        name: "snapKv",
        hook: "prefilled",
        steps: [
          { do: "mass", queries: "last", window, heads: "kv", to: score },
          { do: "pool", score, kernel, last: window, to: score },
          shareOf(options, quota),
          { do: "select", by: "topK", score, quota, last: window, to: "kept" },
          { do: "compact", rows: "kept" },
        ],
      },
    ];
  },
};
