import { allAtDepth } from "../depth-share.js";
import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";

/** Options of `atp`. */
export interface AtpOptions {
  /** Safetensors file with the trained heads. */
  heads: string;
  /** Decoder layers that drop rows. */
  layers?: number[];
}

/** Weight of the sampling rate in the score of a sampled row. */
const lambda = 3;

/** ATP-LLaVA: every picture sets its own thresholds. */
export const atp: Method<AtpOptions> = {
  name: "atp",
  doc:
    "As rows are about to enter each of `layers`, keeps those whose redundancy score or spatial score is above a threshold " +
    "that the picture itself sets. Redundancy: the mean of a row's attention logits over the picture's keys and of the " +
    "attention that text pays it, both mean over heads. Spatial: rows of a uniform grid score 1 - 3 rate (not below 0), " +
    "where the rate falls with depth (0.5, 0.25, 0.0625). Thresholds: a trained projection of the two scores' means, a head " +
    "and a sigmoid each. At least one row of each image stays. ATP-LLaVA, arXiv 2412.00447, as a third party rebuilt it; " +
    "neither code nor weights were released, so the file is yours: atp.L.score_projection, " +
    "atp.L.redundant_threshold_head and atp.L.spatial_threshold_head (weight, bias). Scores mean nothing without them.",
  options: {
    heads: { kind: "file", description: "safetensors file with the trained heads" },
    layers: {
      kind: "layer",
      list: "ascending",
      description: "layers that drop rows; default: 4/32, 14/32, 24/32 of the depth",
    },
  },
  alternatives: ["heads"],
  positions: "original",
  lower({ heads: file, layers }, { nLayers }) {
    return (layers ?? allAtDepth([4, 14, 24], 32, nLayers)).map((layer): LoweredStage => {
      const depth = layer / nLayers;
      const rate = depth < 0.3 ? 0.5 : depth <= 0.65 ? 0.25 : 0.0625;
      const learned = { do: "select", by: "learned", of: ["self", "cross"], file } as const;
      const chain = (head: string) => [`atp.${layer}.score_projection`, `atp.${layer}.${head}_threshold_head`];
      return {
        name: "atp",
        hook: "decoder-layer",
        layer,
        steps: [
          { do: "score", by: "logits", to: "self" },
          { do: "probe", queries: "text", to: "cross" },
          { ...learned, chain: chain("redundant"), to: "telling" },
          { do: "select", by: "grid", stride: Math.round(Math.sqrt(1 / rate)), to: "grid" },
          { ...learned, chain: chain("spatial"), rows: "grid", value: Math.max(0, 1 - rate * lambda), to: "spread" },
          { do: "union", of: ["telling", "spread"], to: "kept" },
          { do: "gather", rows: "kept" },
        ],
      };
    });
  },
};
