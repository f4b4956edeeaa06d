import { isRecord } from "../is-record.js";
import type { PlanFacts } from "./method.js";
import type { LoweredPlan } from "./plan.js";
import { planError } from "./plan-error.js";
import { methods } from "./registry.js";
import { lowerPlan } from "./validate-plan.js";

/**
 * The share of its side that the tower sees of a square under a plan that has yet to be solved; 1 when nothing makes
 * pictures smaller.
 *
 * @throws FoveaError ERR_FOVEA_PLAN
 */
export function pictureSide(plan: unknown, facts: PlanFacts): number {
  const stages: unknown[] = isRecord(plan) && Array.isArray(plan.stages) ? plan.stages : [];
  const shrinking = stages.filter((stage) => isRecord(stage) && methods.get(String(stage.method))?.shrinksPictures);
  return smallestSide(lowerPlan({ stages: shrinking }, facts));
}

/** Refuses a budget that wants pictures of another size than they have got. */
export function requireSide(plan: LoweredPlan, side: number): void {
  if (smallestSide(plan) === side) return;
  throw planError(
    "budget",
    smallestSide(plan),
    "one that leaves the size of pictures alone",
    "Say keep of downscale yourself.",
  );
}

function smallestSide({ stages }: LoweredPlan): number {
  return Math.min(1, ...stages.map((stage) => ("side" in stage ? (stage.side ?? 1) : 1)));
}
