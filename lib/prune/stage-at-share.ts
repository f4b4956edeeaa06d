import { meanShare } from "./mean-share.js";
import type { Method, PlanFacts } from "./method.js";
import type { PlanStage } from "./plan.js";
import { planError } from "./plan-error.js";
import { methods } from "./registry.js";
import { smallestRatio, solveShare } from "./solve-share.js";
import { unknownName } from "./unknown-name.js";
import { unreachableShare } from "./unreachable-share.js";
import { lowerPlan } from "./validate-plan.js";

/**
 * A stage with the budget that leaves a share of the visual rows, mean over the decoder's layers, so that methods that
 * drop before the decoder and inside it compare at equal rows.
 *
 * @param stage - a method with any options but those that say how much it keeps.
 * @param share - in (0, 1].
 * @throws FoveaError ERR_FOVEA_PLAN when the method cannot leave that share.
 */
export function stageAtShare(stage: PlanStage, share: number, facts: PlanFacts): PlanStage {
  const method = methods.get(stage.method);
  if (method === undefined) {
    throw unknownName("method", stage.method, "the name of a method", [...methods.keys()]);
  }
  if (!(share > 0 && share <= 1)) throw planError(method.name, share, "a share of the rows above 0 and at most 1");
  const solved = method.atShare === undefined ? keepAtShare(stage, share, facts) : method.atShare(stage, share, facts);
  lowerPlan({ stages: [solved] }, facts);
  return solved;
}

/** True when the stage says itself how much it keeps. */
export function hasBudget({ method: name, ...options }: PlanStage): boolean {
  const method = methods.get(name);
  const budgets = method?.budgets ?? method?.alternatives ?? ["keep"];
  return budgets.some((option) => option in options);
}

/** True when the stage leaves open how much it keeps, and `stageAtShare` can settle it. */
export function isFree(stage: PlanStage): boolean {
  const method = methods.get(stage.method);
  return method !== undefined && !hasBudget(stage) && (method.atShare !== undefined || hasKeepRatio(method));
}

function hasKeepRatio(method: Method): boolean {
  const spec = Object.entries(method.options).find(([name]) => name === "keep")?.[1];
  return spec?.kind === "ratio" && spec.list === undefined;
}

function keepAtShare(stage: PlanStage, share: number, facts: PlanFacts): PlanStage {
  if (!hasKeepRatio(methods.get(stage.method) as Method)) {
    throw planError(stage.method, share, "a method that keeps a ratio of the rows", "Give its options yourself.");
  }
  const { stages } = lowerPlan({ stages: [{ ...stage, keep: share }] }, facts);
  if (stages.every((lowered) => "over" in lowered && lowered.over === "text")) {
    throw planError(stage.method, share, "a method that drops visual rows", "This one drops text.");
  }
  // Where steps combine choices of rows, the option is taken at its word.
  const shareAt = (keep: number) =>
    meanShare(lowerPlan({ stages: [{ ...stage, keep }] }, facts).stages, facts.nLayers, keep) as number;
  // Rows dropped before the decoder are dropped for every layer: nothing to solve.
  if (Math.abs(shareAt(share) - share) < 1e-9) return { ...stage, keep: share };
  const keep = solveShare(shareAt, share);
  if (keep === undefined) throw unreachableShare(stage.method, share, shareAt(smallestRatio));
  return { ...stage, keep };
}
