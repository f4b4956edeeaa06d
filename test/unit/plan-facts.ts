import type { PlanFacts } from "../../lib/prune/method.js";

/** Facts of a made-up model for plans to be lowered for. */
export function planFacts(nLayers = 32): PlanFacts {
  return { nLayers, tower: { nLayers: 23, imageSize: 336, patchSize: 14, hasClassRow: true, isPrunable: true } };
}
