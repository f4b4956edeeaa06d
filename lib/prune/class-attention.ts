import type { PlanFacts } from "./method.js";
import type { Step } from "./step.js";

/**
 * The score of most methods that look at the tower: what its class row attends to or, in a tower without one, what all
 * rows attend to.
 *
 * @param layer - of the tower, counted from the last one that runs, which is -1, the default.
 */
export function classAttention({ tower }: PlanFacts, to: string, layer = -1): Step {
  return { do: "tap", of: tower.hasClassRow ? "classAttention" : "columnAttention", layer, to };
}
