import { meanShare } from "../mean-share.js";
import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { smallestRatio, solveShare } from "../solve-share.js";
import { unreachableShare } from "../unreachable-share.js";

/** Options of `pyramidDrop`. */
export interface PyramidDropOptions {
  /** Decoder layers that drop rows. */
  layers?: number[];
  /** Per layer, the share of the rows that entered the decoder. */
  keep?: number[];
  /** The shares as powers: lambda, lambda^2, … */
  lambda?: number;
}

/** PyramidDrop: fewer rows the deeper the decoder, ranked by what the prompt's last row attends to. */
export const pyramidDrop: Method<PyramidDropOptions> = {
  name: "pyramidDrop",
  doc:
    "Drops rows in steps on the way through the decoder. As the rows are about to enter each of `layers`, that layer's " +
    "own attention of the prompt's last row ranks the visual rows, and the best stay. PyramidDrop, arXiv 2410.17247; " +
    "the default ratios 0.5, 0.25, 0.125 of the rows that entered the decoder, cut to whole rows, are those of the " +
    "released code. Its layers 8, 16, 24 of 32 are the quarters of the depth, and that is how they are generalised to " +
    "other depths: n stages divide the decoder into n + 1 equal parts.",
  options: {
    layers: {
      kind: "layer",
      list: "ascending",
      description: "layers that drop rows; default: as many as keep has, evenly spaced (three: the quarters)",
    },
    keep: {
      kind: "ratio",
      list: "non-increasing",
      description: "per layer, the share of the decoder's rows that stays",
    },
    lambda: { kind: "ratio", default: 0.5, description: "the shares as powers lambda, lambda^2, …, instead of keep" },
  },
  alternatives: ["keep", "lambda"],
  tunable: ["layers", "keep"],
  keepAll: { lambda: 1 },
  lower({ layers, keep, lambda }, { nLayers }, where) {
    const nStages = keep?.length ?? layers?.length ?? 3;
    if (nStages >= nLayers) {
      throw planError(
        `${where}.layers`,
        layers,
        `a list: the default of ${nStages} stages needs more than ${nStages} decoder layers, the model has ${nLayers}`,
      );
    }
    const ratios = keep ?? powers(lambda as number, nStages);
    const boundaries = layers ?? evenBoundaries(nLayers, nStages);
    if (boundaries.length !== ratios.length) {
      throw planError(
        `${where}.keep`,
        keep,
        `${boundaries.length} ratios, one for each of layers`,
        "Leave one of the two out to have it follow the other.",
      );
    }
    return boundaries.map((layer, i) => stage(layer, ratios[i] as number));
  },
  atShare(entry, share, { nLayers }) {
    const given = Array.isArray(entry.layers) ? [entry.layers as number[]] : pyramids(nLayers);
    const fitting = given.flatMap((layers) => {
      const shareAt = (lambda: number) =>
        meanShare(
          powers(lambda, layers.length).map((ratio, i) => stage(layers[i] as number, ratio)),
          nLayers,
        ) as number;
      const lambda = solveShare(shareAt, share);
      return lambda === undefined ? [] : [{ layers, lambda }];
    });
    // Of all pyramids with this mean, the one whose steps are most like the paper's halves.
    const [best] = fitting.sort((a, b) => Math.abs(a.lambda - 0.5) - Math.abs(b.lambda - 0.5));
    if (best === undefined) throw unreachableShare("pyramidDrop", share, Math.min(...given.flat()) / nLayers);
    return { ...best, ...entry };
  },
};

/** Where three stages can drop: at the quarters of the depth, or all of them higher up by halves. */
function pyramids(nLayers: number): number[][] {
  const all = [evenBoundaries(nLayers, Math.min(3, nLayers - 1))];
  for (let next = all[0] as number[]; next.every((layer) => layer >= 2); ) {
    next = [...new Set(next.map((layer) => Math.floor(layer / 2)))];
    all.push(next);
  }
  return all;
}

/** Where n_stages + 1 equal parts of the decoder meet, rounded half up; distinct as n_stages < n_layers. */
function evenBoundaries(nLayers: number, nStages: number): number[] {
  return Array.from({ length: nStages }, (_, i) => Math.round((nLayers * (i + 1)) / (nStages + 1)));
}

function powers(lambda: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => Math.max(lambda ** (i + 1), smallestRatio));
}

function stage(layer: number, ratio: number): LoweredStage {
  return {
    name: "pyramidDrop",
    hook: "decoder-layer",
    layer,
    steps: [
      { do: "probe", queries: "last", to: "attention" },
      { do: "select", by: "topK", score: "attention", keep: { ratio, of: "decoder", rounding: "trunc" }, to: "kept" },
      { do: "gather", rows: "kept" },
    ],
  };
}
