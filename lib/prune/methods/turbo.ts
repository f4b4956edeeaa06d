import { type MergeSchedule, mergeSchedule } from "../merge-schedule.js";
import type { Method } from "../method.js";
import { planError } from "../plan-error.js";

/** Options of `turbo`. */
export interface TurboOptions extends MergeSchedule {
  /** How much the class row's attention holds a row back from being merged away. */
  coefficient?: number;
}

/** Turbo: merges patches that are alike, unless the class row looks at them. */
export const turbo: Method<TurboOptions> = {
  name: "turbo",
  doc:
    "Merges rows inside the vision tower as toMe does, but a row that may go is scored by its similarity minus " +
    "coefficient times what the class row attends to it at that layer, mean over heads, so that what matters stays " +
    "itself. Turbo, ECCV 2024 (arXiv 2407.11717), its visual side; 150 is the 30 alpha of the released code with its " +
    "alpha = 5 and beta = 1. A coefficient of 0 is toMe. It needs a tower with a class row.",
  options: {
    keep: { kind: "ratio", default: 0.5, description: "share of the tower's rows that leaves it" },
    remove: { kind: "count", description: "rows that every layer removes, instead of keep; half of them at most" },
    coefficient: {
      kind: "number",
      from: 0,
      to: 1e6,
      default: 150,
      description: "weight of attention against likeness",
    },
  },
  alternatives: ["keep", "remove"],
  keepAll: { keep: 1 },
  lower({ coefficient, ...schedule }, facts, where) {
    if (!facts.tower.hasClassRow) {
      throw planError(
        `${where}.method`,
        "turbo",
        "a method that needs no class row: this model's tower has none",
        "Use toMe.",
      );
    }
    return mergeSchedule(schedule, facts.tower.nLayers, where).map((amount, layer) => ({
      name: "turbo",
      hook: "vision-layer",
      layer,
      steps: [
        { do: "features", by: "keys", to: "keys" },
        { do: "probe", by: "class", to: "attention" },
        {
          do: "merge",
          by: "bipartite",
          features: "keys",
          penalty: "attention",
          coefficient: coefficient as number,
          ...amount,
          reduce: "sizeMean",
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    }));
  },
};
