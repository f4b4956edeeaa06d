import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import { stageHook, stageLayer } from "../stage-hook.js";

/** Options of `random`. */
export interface RandomOptions extends KeepOptions {
  /** Same seed, same rows, on every machine. */
  seed?: number;
  /** Decoder layer that drops rows. */
  layer?: number;
}

/** Random rows: the baseline that every method has to beat. */
export const random: Method<RandomOptions> = {
  name: "random",
  doc:
    "Keeps rows drawn without replacement, the same ones for the same seed. A baseline without a paper, so how much to " +
    "keep has no default.",
  options: {
    ...keepOptions,
    seed: { kind: "seed", default: 0, description: "start of the random numbers" },
    layer: stageLayer,
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ seed, layer, ...amount }) => [
    {
      name: "random",
      ...stageHook(layer),
      steps: [
        { do: "select", by: "random", keep: keepBudget(amount), seed: seed as number, to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
