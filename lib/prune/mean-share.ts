import { isCacheStage, type LoweredStage } from "./plan.js";
import { rowsLeft } from "./rows-left.js";
import type { KeepBudget } from "./step.js";

/**
 * Share of the prompt's visual rows that a decoder layer sees, mean over all layers: what papers call the average
 * number of tokens. Whole rows and limits per image are left out, so it is exact for many rows.
 *
 * @param stages - in the order of the forward pass.
 * @param otherwise - share of its rows that a stage is taken to keep when its steps do not say so by one ratio.
 * @returns undefined when there is such a stage and no `otherwise`.
 */
export function meanShare(stages: readonly LoweredStage[], nLayers: number, otherwise?: number): number | undefined {
  let [share, ofDecoder, sum, from] = [1, 1, 0, 0];
  for (const stage of stages) {
    if (isCacheStage(stage)) break; // the rows have gone through
    const { hook, layer, over, steps } = stage;
    if (over === "text") continue;
    const at = hook === "decoder-layer" ? (layer ?? 0) : 0;
    sum += share * (at - from);
    from = at;
    // In the tower, what entered its own first layer.
    const entered = hook === "vision-layer" ? 1 : ofDecoder;
    const left = rowsLeft(steps, share, (keep, rows) => shareOf(keep, rows, entered), otherwise);
    if (left === undefined) return undefined;
    share = left;
    if (hook !== "decoder-layer") ofDecoder = share;
  }
  return (sum + share * (nLayers - from)) / nLayers;
}

/** What a budget keeps of a share of the rows. */
function shareOf({ ratio, of, share = 1 }: KeepBudget, rows: number, entered: number): number | undefined {
  if (ratio === undefined) return undefined;
  return share * Math.min(rows, ratio * (of === "stage" ? rows : entered));
}
