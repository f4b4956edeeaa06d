import { type MergeSchedule, mergeSchedule } from "../merge-schedule.js";
import type { Method } from "../method.js";

/** Options of `toMe`. */
export type ToMeOptions = MergeSchedule;

/** ToMe: patches that are alike become one, in every layer of the tower. */
export const toMe: Method<ToMeOptions> = {
  name: "toMe",
  doc:
    "Merges rows inside the vision tower, between attention and FFN of every layer, so that encoding gets shorter too: " +
    "every second row meets its most similar neighbour among the others, by the mean of the layer's keys over heads, and " +
    "the most similar pairs become their mean, weighted by how many rows each stands for; later attention counts them " +
    "that often. The class row never goes. ToMe, ICLR 2023 (arXiv 2210.09461). Its schedule removes the same number of " +
    "rows in every layer (remove); keep removes the same share instead, which reaches small shares as well. Rows stay " +
    "in raster order, where its code puts the sources first.",
  options: {
    keep: { kind: "ratio", default: 0.5, description: "share of the tower's rows that leaves it" },
    remove: { kind: "count", description: "rows that every layer removes, instead of keep; half of them at most" },
  },
  alternatives: ["keep", "remove"],
  keepAll: { keep: 1 },
  lower: (options, facts, where) =>
    mergeSchedule(options, facts.tower.nLayers, where).map((amount, layer) => ({
      name: "toMe",
      hook: "vision-layer",
      layer,
      steps: [
        { do: "features", by: "keys", to: "keys" },
        { do: "merge", by: "bipartite", features: "keys", ...amount, reduce: "sizeMean", to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    })),
};
