import { allAtDepth } from "../depth-share.js";
import type { Method } from "../method.js";
import type { LoweredStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { smallestRatio } from "../solve-share.js";
import type { KeepBudget, Step } from "../step.js";

/** Options of `vFlowOpt`. */
export interface VFlowOptOptions {
  /** Share of each image's rows that enters the decoder. */
  keep?: number;
  /** Decoder layers that drop rows. */
  layers?: number[];
  /** Per layer, the share of the rows that reach it. */
  stages?: number[];
  /** Patches that receive more than so many times the mean attention say what matters. */
  threshold?: number;
  /** Side of the squares in which dropped rows are recycled, in patches. */
  cell?: number;
}

const published = { layers: [9, 18], of: 28, stages: [0.9833, 0.8773] };

/** VFlowOpt: rows that the tower's global patches look at, in stages; what goes before the decoder is recycled. */
export const vFlowOpt: Method<VFlowOptOptions> = {
  name: "vFlowOpt",
  doc:
    "Ranks rows by importance: what those patches of the vision tower attend to that receive more than threshold times the " +
    "mean attention (the one that receives most, if none does). Before the decoder the least important rows go, after those " +
    "in one square of the picture, cell patches wide, became one row, their mean by importance in the place of the most " +
    "important; inside the decoder more go at `layers`, by the same ranking and without recycling, and positions then keep " +
    "their gaps. VFlowOpt, arXiv 2508.05211. Its five numbers per budget are tuned on a LLaVA-OneVision with 28 layers: keep " +
    "0.7233, stages [0.7487, 0.487], threshold 28.683, cell 11.757 leave half of the rows in the mean over layers; the " +
    "defaults, for layers 9 and 18 or the same shares of another depth, a quarter; 0.1166, [1, 0.6011], 39.265 and 17.387 a " +
    "tenth. Those thresholds suit a tower with very strong sinks. Its entropy term is off in every released setting and left out; its " +
    "arrangement of tiles with a column of newlines is the model's, and every tile is recycled by itself. Two roundings of " +
    "the released code are one here.",
  options: {
    keep: { kind: "ratio", default: 0.2651, description: "share of each image's rows that enters the decoder" },
    layers: {
      kind: "layer",
      list: "ascending",
      description: "decoder layers that drop rows; default: 9/28 and 18/28 of the depth",
    },
    stages: { kind: "ratio", list: "non-increasing", description: "per layer, the share of its rows that stays" },
    threshold: {
      kind: "number",
      from: 0,
      to: 1e6,
      default: 34.76,
      description: "times the mean attention that a patch receives for it to say what matters",
    },
    cell: {
      kind: "number",
      from: 1,
      to: 65536,
      default: 15.581,
      description: "side of a recycling square, in patches",
    },
  },
  keepAll: { keep: 1, layers: [1], stages: [1] },
  positions: "original",
  lower({ keep, layers, stages = published.stages, threshold, cell }, { nLayers }, where) {
    const at = layers ?? allAtDepth(published.layers, published.of, nLayers);
    if (stages.length !== at.length) {
      throw planError(`${where}.stages`, stages, `${at.length} ratios, one for each of the layers ${at.join(", ")}`);
    }
    const importance: Step = { do: "tap", of: "importance", threshold: threshold as number, to: "importance" };
    return [
      ...recycling(keep as number, cell as number, importance),
      ...at.map(
        (layer, i): LoweredStage => ({
          name: "vFlowOpt",
          hook: "decoder-layer",
          layer,
          steps: [
            importance,
            { do: "select", by: "topK", score: "importance", keep: budget(stages[i] as number), to: "kept" },
            { do: "gather", rows: "kept" },
          ],
        }),
      ),
    ];
  },
};

function budget(ratio: number): KeepBudget {
  return { ratio, of: "stage", rounding: "drop-half-even" };
}

/** The stage before the decoder; none when everything enters it. */
function recycling(keep: number, cell: number, importance: Step): LoweredStage[] {
  if (keep === 1) return [];
  // Each square leaves one row, so as many rows as there are squares go besides; where that is all, one row stays.
  const whole = Math.max(keep - cell ** -2, smallestRatio);
  return [
    {
      name: "vFlowOpt",
      hook: "projected",
      positions: "compact",
      steps: [
        importance,
        { do: "select", by: "topK", score: "importance", keep: budget(whole), to: "important" },
        { do: "without", rows: "important", to: "low" },
        {
          do: "merge",
          by: "cells",
          side: cell,
          rows: "low",
          reduce: "weightedMean",
          weight: "importance",
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    },
  ];
}
