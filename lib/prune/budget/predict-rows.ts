import { isCacheStage, type LoweredPlan, type RowStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { rowsLeft } from "../rows-left.js";
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

/** Rows of an image after a stage; a budget that images share is taken to be dealt out evenly. */
function leftBy({ name, over, steps }: RowStage, image: ImageTrace): number {
  if (over === "text") return image.rows;
  const left = rowsLeft(steps, image.rows, (keep, rows) => allocate(keep, rows, image.decoderRows));
  if (left !== undefined) return left;
  throw planError("budget", name, "stages that keep a number of rows", `How many ${name} keeps, the picture decides.`);
}
