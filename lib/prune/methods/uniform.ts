import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import { stageHook, stageLayer } from "../stage-hook.js";

/** Options of `uniform`. */
export interface UniformOptions extends KeepOptions {
  /** Decoder layer that drops rows. */
  layer?: number;
}

/** Evenly spaced rows: the baseline that covers the whole picture. */
export const uniform: Method<UniformOptions> = {
  name: "uniform",
  doc:
    "Keeps rows at equal steps through each image, in raster order. A baseline without a paper, so how much to keep has " +
    "no default.",
  options: {
    ...keepOptions,
    layer: stageLayer,
  },
  alternatives: ["keep", "count"],
  tunable: ["layer", "keep"],
  keepAll: { keep: 1 },
  lower: ({ layer, ...amount }) => [
    {
      name: "uniform",
      ...stageHook(layer),
      steps: [
        { do: "select", by: "uniform", keep: keepBudget(amount), to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
