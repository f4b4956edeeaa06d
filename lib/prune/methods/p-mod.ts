import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";

/** Options of `pMod`. */
export interface PModOptions {
  /** Safetensors file with the routers. */
  routers: string;
  /** Layers over which the schedule falls from its start to its end. */
  period?: number;
  /** Added to half the cosine. */
  shift?: number;
  /** Layers whose share is above this run for every row. */
  most?: number;
  /** Least share of a layer. */
  least?: number;
}

/** p-MoD: fewer visual rows run through the deeper layers; the others run past them. */
export const pMod: Method<PModOptions> = {
  name: "pMod",
  doc:
    "In each layer l, the visual rows that a trained router ranks highest run, the others run past it and are there again " +
    "behind it; the layer caches those that ran. With g = 0.2 tanh(w x + b) + 1 a row that runs gets g times what the FFN " +
    "adds, a row that does not is multiplied by g. A share of cos(pi l / period) / 2 + shift of each image's rows runs, at " +
    "least `least`; where it would be above `most`, all do. p-MoD, arXiv 2412.04449, whose models are trained this way. The " +
    "released code has the period 31 for 32 layers; here it is the decoder's last layer. It counts over all images of a " +
    "prompt together, here each image has its own share. The file has model.layers.L.router.router.weight (1, d_model) and " +
    "….bias (1). Even with every row running, g is not 1, so no options keep everything as it was.",
  options: {
    routers: { kind: "file", description: "safetensors file with the routers" },
    period: {
      kind: "count",
      description: "layers from the schedule's start to its end; default: the last layer's number",
    },
    shift: { kind: "number", from: 0, to: 1, default: 0.5, description: "added to half the cosine" },
    most: { kind: "ratio", default: 0.85, description: "layers whose share is above this run for every row" },
    least: { kind: "ratio", default: 0.15, description: "least share of a layer" },
  },
  alternatives: ["routers"],
  positions: "original",
  lower({ routers, period, shift, most, least }, { nLayers }) {
    const stages: LoweredStage[] = [];
    for (let layer = 1; layer < nLayers; layer++) {
      const share = Math.cos((Math.PI * layer) / (period ?? nLayers - 1)) / 2 + (shift as number);
      if (share > (most as number)) continue;
      const ratio = Math.max(share, least as number);
      stages.push({
        name: "pMod",
        hook: "decoder-layer",
        layer,
        steps: [
          {
            do: "score",
            by: "linear",
            file: routers,
            weight: `model.layers.${layer}.router.router.weight`,
            bias: `model.layers.${layer}.router.router.bias`,
            gain: 0.2,
            offset: 1,
            to: "gain",
          },
          { do: "select", by: "topK", score: "gain", keep: { ratio, of: "stage", rounding: "trunc" }, to: "run" },
          { do: "bypass", rows: "run", gain: "gain" },
        ],
      });
    }
    return stages;
  },
};
