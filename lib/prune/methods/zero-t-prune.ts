import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";
import type { KeepBudget } from "../step.js";

/** Options of `zeroTPrune`. */
export interface ZeroTPruneOptions {
  /** Share of the tower's rows that leaves it. */
  keep?: number;
  /** Share of what a layer drops that goes for its similarity. */
  similar?: number;
}

/** Where the paper prunes a tower of 12 layers, as shares of the depth. */
const depths = [1 / 12, 3 / 12, 6 / 12, 9 / 12];

/** Zero-TPrune: rows that the others do not vote for, or that repeat better ones, leave the tower on the way. */
export const zeroTPrune: Method<ZeroTPruneOptions> = {
  name: "zeroTPrune",
  doc:
    "Drops rows inside the vision tower in up to four layers. Attention is read as votes: page rank on the layer's " +
    "attention, per head, joined over the heads whose votes differ enough but not too much. First go rows of the less " +
    "voted half that are most like one of the better half (by keys), then those of the lowest rank among the rest. The " +
    "class row never goes. Zero-TPrune, CVPR 2024 (arXiv 2305.17328): 40 rounds of voting in the first quarter of the " +
    "depth, 8 in the middle, 1 in the last; heads are kept when their votes, scaled to mean 1 (with the paper's sum of 1 " +
    "none would pass), have a variance from 0.01 to 0.7, and all are when none passes. It publishes no code; that every " +
    "layer drops the same share is ours.",
  options: {
    keep: { kind: "ratio", default: 0.5, description: "share of the tower's rows that leaves it" },
    similar: { kind: "ratio", default: 1 / 3, description: "share of what a layer drops that goes for its similarity" },
  },
  keepAll: { keep: 1 },
  lower({ keep, similar }, { tower }) {
    const layers = [...new Set(depths.map((depth) => Math.round(depth * tower.nLayers)))].filter(
      (layer) => layer < tower.nLayers,
    );
    const after = (n: number): number => (keep as number) ** (n / layers.length);
    return layers.map((layer, i) => {
      const unlike = after(i) - (after(i) - after(i + 1)) * (similar as number);
      return stage(layer, rounds(layer / tower.nLayers), unlike, after(i + 1));
    });
  },
};

/** Rounds of voting at a depth. */
function rounds(depth: number): number {
  if (depth < 0.25) return 40;
  return depth < 0.75 ? 8 : 1;
}

function stage(layer: number, iterations: number, unlike: number, important: number): LoweredStage {
  const heads = { least: 0.01, most: 0.7 };
  const budget = (ratio: number): KeepBudget => ({ ratio, of: "decoder", rounding: "half-even" });
  return {
    name: "zeroTPrune",
    hook: "vision-layer",
    layer,
    steps: [
      { do: "score", by: "pageRank", iterations: 1, ...heads, to: "votes" },
      { do: "features", by: "keys", to: "keys" },
      { do: "select", by: "unlike", score: "votes", features: "keys", keep: budget(unlike), to: "distinct" },
      { do: "gather", rows: "distinct" },
      { do: "score", by: "pageRank", iterations, ...heads, to: "rank" },
      { do: "select", by: "topK", score: "rank", keep: budget(important), to: "kept" },
      { do: "gather", rows: "kept" },
    ],
  };
}
