import { atDepth } from "../depth-share.js";
import type { Method } from "../method.js";
import { planError } from "../plan-error.js";

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
  budgets: ["layer"],
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
  atShare(entry, share, { nLayers }) {
    // The nearest layer, the lower of two; for all rows the last one, as some layer has to be without them.
    const layer = Math.min(Math.ceil(share * nLayers - 0.5), nLayers - 1);
    if (layer < 1) {
      throw planError(
        "vtw",
        share,
        `a share above ${Number((0.5 / nLayers).toPrecision(3))}: rows can leave behind the first of ${nLayers} layers at the earliest`,
        "A share is the mean over all decoder layers.",
      );
    }
    return { ...entry, layer };
  },
};
