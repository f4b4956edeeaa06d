import { atDepth } from "../depth-share.js";
import type { Method } from "../method.js";

/** Options of `attentionExit`. */
export interface AttentionExitOptions {
  /** First decoder layer at which visual rows may leave. */
  from?: number;
  /** Share of the last row's attention below which they do. */
  threshold?: number;
}

/** Fovea's own rule for when a prompt has seen enough. */
export const attentionExit: Method<AttentionExitOptions> = {
  name: "attentionExit",
  doc:
    "Drops every visual row at the first layer, counted from `from`, where the prompt's last row would give them less than " +
    "`threshold` of its attention, mean over heads, with that layer's own projections: each prompt leaves the picture when " +
    "it has stopped looking at it. A rule of Fovea's own, without a paper and without training, for want of published gates " +
    "for DyVTE (arXiv 2411.19628), whose place it takes. The default threshold, 0.1, and the first layer, a quarter of the " +
    "depth, are guesses; tune them on your own pictures.",
  options: {
    from: { kind: "layer", description: "first layer at which visual rows may leave; default: a quarter of the depth" },
    threshold: { kind: "number", from: 0, to: 1, default: 0.1, description: "attention below which they leave" },
  },
  keepAll: { threshold: 0 },
  positions: "original",
  lower({ from, threshold }, { nLayers }) {
    const first = from ?? atDepth(1, 4, nLayers);
    return Array.from({ length: nLayers - first }, (_, i) => ({
      name: "attentionExit",
      hook: "decoder-layer",
      layer: first + i,
      steps: [
        { do: "probe", queries: "last", to: "attention" },
        { do: "select", by: "mass", score: "attention", atLeast: threshold as number, to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    }));
  },
};
