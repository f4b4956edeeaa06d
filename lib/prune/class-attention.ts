import type { PlanFacts } from "./method.js";
import type { Step } from "./step.js";

/**
 * The score of most methods that look at the tower: what its class row attends to in the last layer that runs or, in a
 * tower without one, what all rows attend to.
 */
export function classAttention({ tower }: PlanFacts, to: string): Step {
  return { do: "tap", of: tower.hasClassRow ? "classAttention" : "columnAttention", to };
}
