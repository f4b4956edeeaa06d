import type { Method } from "../method.js";

/** Options of `dyVte`. */
export interface DyVteOptions {
  /** Safetensors file with the gates. */
  gates: string;
}

/** DyVTE: trained gates say at which layer the picture may go. */
export const dyVte: Method<DyVteOptions> = {
  name: "dyVte",
  doc:
    "Drops every visual row behind the first decoder layer l whose gate says so. A gate is W2 gelu(W1 f) over two features of " +
    "the rows leaving layer l, side by side: the mean of the text behind the last image without the prompt's last row, and " +
    "the last row; rows go when the second logit is larger. DyVTE, arXiv 2411.19628. The gates come from a file with tensors " +
    "model.visual_gates_router.L.w1.weight (h, 2 d_model) and ….w2.weight (2, h), as its training code names them; none are " +
    "published. Gates are asked while the prompt is read, never for generated tokens (there the released code fails). " +
    "`attentionExit` does without gates.",
  options: {
    gates: { kind: "file", description: "safetensors file with the gates of all layers but the last" },
  },
  alternatives: ["gates"],
  positions: "original",
  lower: ({ gates }, { nLayers }) =>
    Array.from({ length: nLayers - 1 }, (_, i) => ({
      name: "dyVte",
      hook: "decoder-layer",
      layer: i + 1,
      steps: [
        {
          do: "select",
          by: "classifier",
          file: gates,
          weights: [`model.visual_gates_router.${i}.w1.weight`, `model.visual_gates_router.${i}.w2.weight`],
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    })),
};
