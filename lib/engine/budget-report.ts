import type { CostFacts, PromptShape } from "../prune/budget/cost-facts.js";
import { planCosts } from "../prune/budget/plan-costs.js";
import type { SolvedBudget } from "../prune/budget/solve-plan.js";
import { type ImageTrace, type StagePlace, traceRows } from "../prune/budget/trace-rows.js";
import { kvBytesOf } from "../prune/budget/work.js";
import type { BudgetReport, Reply } from "./reply.js";

/** Puts what a prompt did cost beside what was predicted, in the same terms. */
export function budgetReport(
  budget: SolvedBudget,
  { usage, timings }: Pick<Reply, "usage" | "timings">,
  prompt: PromptShape,
  facts: CostFacts,
): BudgetReport {
  const { stages, skipped, kvRows } = usage;
  const rowsAfter = (i: number, { image, rows }: ImageTrace) => stages[i]?.images[image]?.rowsOut ?? rows;
  const trace = traceRows(stages as StagePlace[], rowsAfter, skipped, prompt, facts);
  const measured = planCosts(trace, prompt, facts);
  return {
    ...budget,
    measured: { ...measured, kvBytes: kvBytesOf(kvRows, facts), ms: timings.encode + timings.prefill },
  };
}
