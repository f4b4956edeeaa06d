import { isRecord } from "../is-record.js";
import type { PlanFacts } from "./method.js";
import { noLimit, type PictureLimit } from "./picture-limit.js";
import type { LoweredPlan } from "./plan.js";
import { planError } from "./plan-error.js";
import { methods } from "./registry.js";
import { lowerPlan } from "./validate-plan.js";

/**
 * How large pictures may be under a plan that has yet to be solved.
 *
 * @throws FoveaError ERR_FOVEA_PLAN
 */
export function pictureLimit(plan: unknown, facts: PlanFacts): PictureLimit {
  const stages: unknown[] = isRecord(plan) && Array.isArray(plan.stages) ? plan.stages : [];
  const shrinking = stages.filter((stage) => isRecord(stage) && methods.get(String(stage.method))?.shrinksPictures);
  return smallest(lowerPlan({ stages: shrinking }, facts));
}

/** Refuses a budget that wants pictures of another size than they have got. */
export function requireLimit(plan: LoweredPlan, limit: PictureLimit): void {
  const { side } = smallest(plan);
  if (side === limit.side) return; // budgets set no other
  throw planError("budget", side, "one that leaves the size of pictures alone", "Say keep of downscale yourself.");
}

function smallest({ stages }: LoweredPlan): PictureLimit {
  return stages
    .map((stage) => ("limit" in stage ? { ...noLimit, ...stage.limit } : noLimit))
    .reduce(
      (a, b) => ({
        side: Math.min(a.side, b.side),
        tiles: Math.min(a.tiles, b.tiles),
        pixels: Math.min(a.pixels, b.pixels),
      }),
      noLimit,
    );
}
