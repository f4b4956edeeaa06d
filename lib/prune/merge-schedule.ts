import { planError } from "./plan-error.js";
import type { KeepBudget } from "./step.js";

/** How much a method that merges in one layer after another removes. */
export interface MergeSchedule {
  /** Share of the rows that is left behind the last of these layers. */
  keep?: number;
  /** Rows that each layer removes. */
  remove?: number;
}

/** As a bipartite merge takes it. */
type Removal = { keep: KeepBudget } | { remove: number };

/**
 * What each of so many layers removes: the same number of rows, or the same share, so that `keep` of them are left in
 * the end.
 *
 * @throws FoveaError if layers that at most halve their rows cannot get there.
 */
export function mergeSchedule({ keep, remove }: MergeSchedule, nLayers: number, where: string): Removal[] {
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  if (remove !== undefined) return layers.map(() => ({ remove }));
  const ratio = keep as number;
  const least = 2 ** -nLayers;
  if (ratio < least) {
    throw planError(
      `${where}.keep`,
      ratio,
      `at least ${least}: each of the ${nLayers} layers that merge halves at most`,
    );
  }
  return layers.map((layer) => ({
    keep: { ratio: ratio ** ((layer + 1) / nLayers), of: "decoder", rounding: "half-even" },
  }));
}
