import type { PlanFacts } from "./method.js";
import { planError } from "./plan-error.js";
import type { KeepBudget } from "./step.js";

/** How much a method that merges in every layer of the tower removes. */
export interface TowerSchedule {
  /** Share of the tower's rows that leaves it. */
  keep?: number;
  /** Rows that each layer removes. */
  remove?: number;
}

/** As a bipartite merge takes it. */
type Removal = { keep: KeepBudget } | { remove: number };

/**
 * What each layer of the tower removes: the same number of rows, or the same share, so that `keep` of them are left in
 * the end.
 *
 * @throws FoveaError if layers that at most halve their rows cannot get there.
 */
export function towerSchedule({ keep, remove }: TowerSchedule, { tower }: PlanFacts, where: string): Removal[] {
  const layers = Array.from({ length: tower.nLayers }, (_, layer) => layer);
  if (remove !== undefined) return layers.map(() => ({ remove }));
  const ratio = keep as number;
  const least = 2 ** -tower.nLayers;
  if (ratio < least) {
    throw planError(
      `${where}.keep`,
      ratio,
      `at least ${least}: each of the tower's ${tower.nLayers} layers halves at most`,
    );
  }
  return layers.map((layer) => ({
    keep: { ratio: ratio ** ((layer + 1) / tower.nLayers), of: "decoder", rounding: "half-even" },
  }));
}
