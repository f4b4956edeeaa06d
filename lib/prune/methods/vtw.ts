import { atDepth } from "../depth-share.js";
import type { Method } from "../method.js";

/** Options of `vtw`. */
export interface VtwOptions {
  /** Decoder layer that no visual row enters. */
  layer?: number;
}

/** VTW: no visual rows from some layer on. */
export const vtw: Method<VtwOptions> = {
  name: "vtw",
  doc:
    "Drops every visual row as it is about to enter decoder layer `layer`: by then the text has taken from the picture " +
    "what it needs. Visual tokens withdrawal, arXiv 2405.05803. Its layer, 15 of 32, was chosen where the answers of 20 " +
    "samples change little; it is generalised to the same share of the depth. Reading and locating need more layers " +
    "than naming does.",
  options: {
    layer: { kind: "layer", description: "the first layer without visual rows; default: 15/32 of the depth" },
  },
  positions: "original",
  lower: ({ layer }, { nLayers }) => [
    {
      name: "vtw",
      hook: "decoder-layer",
      layer: layer ?? atDepth(15, 32, nLayers),
      steps: [
        { do: "select", by: "none", to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
