import type { LoweredStage } from "./plan.js";

/**
 * Share of the prompt's visual rows that a decoder layer sees, mean over all layers: what papers call the average
 * number of tokens. Whole rows and limits per image are left out, so it is exact for many rows.
 *
 * @param stages - in the order of the forward pass.
 * @returns undefined when a stage does not say its budget as a share.
 */
export function meanShare(stages: readonly LoweredStage[], nLayers: number): number | undefined {
  let [share, ofDecoder, sum, from] = [1, 1, 0, 0];
  for (const { layer = 0, steps } of stages) {
    sum += share * (layer - from);
    from = layer;
    for (const step of steps) {
      if (!("keep" in step)) continue;
      const { ratio, of } = step.keep;
      if (ratio === undefined) return undefined;
      share = of === "decoder" ? Math.min(share, ofDecoder * ratio) : share * ratio;
    }
    if (layer === 0) ofDecoder = share;
  }
  return (sum + share * (nLayers - from)) / nLayers;
}
