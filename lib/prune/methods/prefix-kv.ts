import type { AllocateStep, CacheStep } from "../cache-step.js";
import type { Method } from "../method.js";

/** Options of `prefixKv`. */
export interface PrefixKvOptions {
  /** Share of the cached rows that leaves, in the mean over layers. */
  evict?: number;
  /** Per layer, the share that leaves. */
  evictPerLayer?: number[];
  /** Go on while decoding. */
  decode?: boolean;
}

const firstRows = 1;
const lastRows = 1;
/** Rows between the slot that decoding empties and the end of what stayed of the prompt. */
const slotDistance = 25;

/** PrefixKV: every layer keeps the rows that hold the same share of its attention. */
export const prefixKv: Method<PrefixKvOptions> = {
  name: "prefixKv",
  doc:
    "Shortens the KV cache after the prompt: each layer keeps the rows that were attended to most, and how many follows " +
    "from one share of the attention, the same for all layers, that a binary search finds on this very prompt; or from a " +
    "list of ratios made before, on other prompts (prefixKvRatios averages them). The first and the last row stay. While " +
    "decoding, a layer that outgrows its share loses the row 25 slots before the end of the prompt. PrefixKV, " +
    "arXiv 2412.03409, and its released code, whose --ratio is `evict`; there, positions while decoding follow layer 0's " +
    "shortened cache, here they stay true.",
  options: {
    evict: { kind: "number", from: 0, to: 0.99, description: "share of the cached rows that leaves, over all layers" },
    evictPerLayer: {
      kind: "number",
      from: 0,
      to: 0.99,
      list: "per-layer",
      description: "per decoder layer, the share that leaves, instead of evict and its search",
    },
    decode: { kind: "switch", default: true, description: "keep to the share while decoding, too" },
  },
  alternatives: ["evict", "evictPerLayer"],
  keepAll: { evict: 0 },
  atShare: (stage, share) => ({ ...stage, evict: 1 - share }),
  lower({ evict, evictPerLayer, decode }, _facts, where) {
    const importance = `importance of ${where}`;
    const quota = `quota of ${where}`;
    const protect = firstRows + lastRows;
    const allocate: AllocateStep = evictPerLayer
      ? { do: "allocate", by: "evict", evict: evictPerLayer, protect, to: quota }
      : { do: "allocate", by: "prefix", score: importance, evict: evict as number, protect, to: quota };
    const prefilled: CacheStep[] = [
      { do: "mass", queries: "all", heads: "all", to: importance },
      allocate,
      { do: "select", by: "topK", score: importance, quota, first: firstRows, last: lastRows, to: "kept" },
      { do: "compact", rows: "kept" },
    ];
    const decoding: CacheStep[] = [
      { do: "select", by: "slot", quota, behind: slotDistance, to: "kept" },
      { do: "compact", rows: "kept" },
    ];
    return [
      { name: "prefixKv", hook: "prefilled", steps: prefilled },
      ...(decode ? [{ name: "prefixKv", hook: "decode-step", steps: decoding } as const] : []),
    ];
  },
};
