import { FoveaError } from "../errors.js";
import type { PlanFacts } from "../prune/method.js";
import type { Plan, PlanStage } from "../prune/plan.js";
import { hasBudget, stageAtShare } from "../prune/stage-at-share.js";

/** One cell of a grid: a plan with a name. */
export interface Cell {
  /** Unique within a grid, as in "divPrune 25 %". */
  name: string;
  /** Cells of one line are joined in the curves of a report: a method at several budgets. */
  line: string;
  /** The share of the visual rows that the plan was made for, mean over layers. */
  share?: number;
  plan: Plan;
}

/** A cell that cannot be measured, and why. */
export interface SkippedCell {
  name: string;
  reason: string;
}

/** What `gridCells` returns. */
export interface Grid {
  cells: Cell[];
  skipped: SkippedCell[];
}

/** The cell that the others are compared with: nothing is dropped. */
export const unpruned: Cell = { name: "unpruned", line: "unpruned", share: 1, plan: {} };

/**
 * The cells of methods times budgets. A budget is the mean share of visual rows over the decoder's layers; a method
 * that cannot leave it is skipped with the reason. A stage that says itself how much it keeps becomes one cell.
 *
 * @param facts - of the model: `model.info`.
 * @example
 * gridCells([{ method: "divPrune" }, { method: "pyramidDrop" }], [0.5, 0.25], model.info);
 */
export function gridCells(stages: PlanStage[], shares: number[], facts: PlanFacts): Grid {
  const grid: Grid = { cells: [], skipped: [] };
  for (const stage of stages) {
    const line = stageName(stage);
    if (hasBudget(stage)) grid.cells.push({ name: line, line, plan: { stages: [stage] } });
    else for (const share of shares) addCell(grid, stage, share, line, facts);
  }
  return grid;
}

function addCell({ cells, skipped }: Grid, stage: PlanStage, share: number, line: string, facts: PlanFacts): void {
  const name = `${line} ${Number((100 * share).toPrecision(3))} %`;
  try {
    cells.push({ name, line, share, plan: { stages: [stageAtShare(stage, share, facts)] } });
  } catch (error) {
    if (!FoveaError.isInstance(error)) throw error;
    skipped.push({ name, reason: error.message });
  }
}

/** A method with its options, as `--method` takes it. */
function stageName({ method, ...options }: PlanStage): string {
  const parts = Object.entries(options).map(([name, value]) => `:${name}=${[value].flat().join("+")}`);
  return method + parts.join("");
}
