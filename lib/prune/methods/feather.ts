import { allAtDepth } from "../depth-share.js";
import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";
import type { Step } from "../step.js";

/** Options of `feather`. */
export interface FeatherOptions {
  /** Share of the rows that attention keeps at the first layer; squared, cubed, … at the next ones. */
  keep?: number;
  /** Step of the grid that is kept besides, at the first layer. */
  stride?: number;
  /** Decoder layers that drop rows. */
  layers?: number[];
}

/** FEATHER: FastV without rotary positions, later in the decoder, with a grid over the whole picture. */
export const feather: Method<FeatherOptions> = {
  name: "feather",
  doc:
    "At the first of `layers`, keeps the rows with the largest attention of the prompt's last row and, besides, a uniform " +
    "grid of every stride-th row and column; at the next one, `keep` squared of what is left, without a grid. Attention is " +
    "recomputed with the projections of the layer before, without rotary positions, as a softmax over visual rows alone, " +
    "mean over heads. FEATHER, arXiv 2412.13180; 0.3, stride 3 and layers 8 and 16 of 32 are those of the released code, " +
    "generalised to a quarter and a half of the depth.",
  options: {
    keep: { kind: "ratio", default: 0.3, description: "share that attention keeps; squared at the second layer" },
    stride: { kind: "count", default: 3, description: "step of the grid that stays too at the first layer" },
    layers: { kind: "layer", list: "ascending", description: "layers that drop rows; default: a quarter and a half" },
  },
  keepAll: { keep: 1 },
  positions: "original",
  lower({ keep, stride, layers }, { nLayers }) {
    const grid: Step[] = [
      { do: "select", by: "grid", stride: stride as number, to: "grid" },
      { do: "union", of: ["best", "grid"], to: "kept" },
    ];
    return (layers ?? allAtDepth([8, 16], 32, nLayers)).map((layer, i): LoweredStage => {
      const ratio = Math.max((keep as number) ** (i + 1), 1e-9);
      return {
        name: "feather",
        hook: "decoder-layer",
        layer,
        steps: [
          { do: "probe", queries: "last", keys: "visual", rope: false, layer: layer - 1, to: "attention" },
          { do: "select", by: "topK", score: "attention", keep: { ratio, of: "stage", rounding: "trunc" }, to: "best" },
          ...(i === 0 ? grid : []),
          { do: "gather", rows: i === 0 ? "kept" : "best" },
        ],
      };
    });
  },
};
