import { isCacheStage, type LoweredPlan, type RowStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { allocate } from "./allocate.js";
import type { CostFacts, PromptShape } from "./cost-facts.js";
import { type ImageTrace, type RowTrace, traceRows } from "./trace-rows.js";

/**
 * The rows that a plan will leave everywhere, known before anything runs, because every choice is of a number of rows.
 *
 * @throws FoveaError ERR_FOVEA_PLAN when a stage leaves as many rows as the picture wants.
 */
export function predictRows(plan: LoweredPlan, prompt: PromptShape, facts: CostFacts): RowTrace {
  const stages = plan.stages.filter((stage) => !isCacheStage(stage)); // these drop no rows of the stream
  const rowsAfter = (i: number, image: ImageTrace) => leftBy(stages[i] as RowStage, image);
  return traceRows(stages, rowsAfter, plan.skip, prompt, facts);
}

/** Rows of an image after a stage, by the sizes of the choices that its steps hand to `gather`. */
function leftBy({ name, steps }: RowStage, image: ImageTrace): number {
  const chosen = new Map<string, number>();
  let { rows } = image;
  for (const step of steps) {
    if ("keep" in step) chosen.set(step.to, allocate(step.keep, rows, image.decoderRows));
    if (step.do === "select" && step.by === "none") chosen.set(step.to, 0);
    if (step.do !== "gather") continue;
    const left = chosen.get(step.rows);
    if (left === undefined) {
      throw planError(
        "budget",
        name,
        "stages that keep a number of rows",
        `How many ${name} keeps, the picture decides.`,
      );
    }
    rows = left;
  }
  return rows;
}
