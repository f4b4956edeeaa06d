import { setImmediate } from "node:timers/promises";
import { FoveaError } from "../../errors.js";
import { isRecord } from "../../is-record.js";
import type { LoweredPlan, Plan, PlanStage } from "../plan.js";
import { planError } from "../plan-error.js";
import { expandPreset } from "../presets.js";
import { isFree, stageAtShare } from "../stage-at-share.js";
import { lowerPlan } from "../validate-plan.js";
import { type Budget, type Limit, readBudget } from "./budget.js";
import type { CostFacts, PromptShape } from "./cost-facts.js";
import type { CostModel } from "./cost-model.js";
import { costOf, limitFor, type PlanCosts, planCosts } from "./plan-costs.js";
import { predictRows } from "./predict-rows.js";

/** Where milliseconds come from: a cost model that knows these stages. */
export type CostSource = (stages: readonly PlanStage[]) => Promise<CostModel>;

/** A plan for one prompt, and what its budget came to. */
export interface SolvedPlan {
  lowered: LoweredPlan;
  budget?: SolvedBudget;
}

/** What a budget came to. */
export interface SolvedBudget {
  /** As in the plan. */
  asked: Budget;
  /** The plan that runs. */
  plan: Plan;
  /** What every stage was set to that did not say itself how much it keeps; see `stageAtShare`. */
  share: number;
  predicted: PlanCosts;
}

/** Solved shares are whole numbers of this part: finer than a row of an image, and readable. */
const parts = 10_000;

/**
 * Checks a plan as far as it can be before a prompt is known.
 *
 * @returns what makes the plan for a prompt: solves the plan's budget if it has one.
 * @throws FoveaError ERR_FOVEA_PLAN
 */
export function planSolver(
  plan: unknown,
  facts: CostFacts,
): (prompt: PromptShape, costs: CostSource) => Promise<SolvedPlan> {
  const expanded = expandPreset(plan);
  if (!isRecord(expanded) || expanded.budget === undefined) {
    const lowered = lowerPlan(expanded, facts);
    return async () => ({ lowered });
  }
  const { budget, ...rest } = expanded;
  const limit = readBudget(budget);
  const open = openPlan(rest, facts);
  return async (prompt, costs) => {
    const model = limit.kind === "ms" ? await costs(open.stages ?? []) : undefined;
    const { plan: solved, share, predicted } = await solve(open, limit, prompt, facts, model);
    return {
      lowered: lowerPlan(solved, facts),
      budget: { asked: budget as Budget, plan: solved, share, predicted },
    };
  };
}

/** A plan that is valid but for how much some of its stages keep. */
function openPlan(plan: Record<string, unknown>, facts: CostFacts): Plan {
  const open = plan as Plan;
  if (Array.isArray(open.stages)) {
    lowerPlan(planAt(open, 1, facts), facts);
    if (open.stages.some(isFree)) return open;
  } else {
    lowerPlan(plan, facts);
  }
  throw planError(
    "budget",
    "stages that all say how much they keep",
    'a stage that does not, as in { method: "divPrune" }',
  );
}

/** The plan with every open stage set to a share. What is no stage is left to lowerPlan to refuse. */
function planAt(plan: Plan, share: number, facts: CostFacts): Plan {
  const stages = plan.stages?.map((stage) =>
    isRecord(stage) && isFree(stage) ? stageAtShare(stage, share, facts) : stage,
  );
  return { ...plan, ...(stages !== undefined && { stages }) };
}

interface Candidate {
  plan: Plan;
  share: number;
  predicted: PlanCosts;
}

/**
 * The largest share within a limit, by bisection. Costs grow with the share; a share below what a stage can leave
 * counts as within, and is passed over.
 */
async function solve(
  open: Plan,
  limit: Limit,
  prompt: PromptShape,
  facts: CostFacts,
  model: CostModel | undefined,
): Promise<Candidate> {
  const costs = (plan: Plan) => {
    const trace = predictRows(lowerPlan(plan, facts), prompt, facts);
    return planCosts(trace, prompt, facts, model);
  };
  const candidate = (share: number): Candidate => {
    const plan = planAt(open, share, facts);
    return { plan, share, predicted: costs(plan) };
  };
  const unpruned = costs({ ...open, stages: [] });
  const max = limitFor(limit, unpruned);
  const cost = (predicted: PlanCosts) => costOf(limit.kind, predicted);
  const all = candidate(1);
  if (cost(all.predicted) <= max || prompt.images.length === 0) return all;
  let best: Candidate | undefined;
  let smallestAbove = all;
  for (let [low, high] = [0, parts]; high - low > 1; ) {
    await setImmediate(); // a candidate can take a millisecond, and there are a dozen
    const middle = (low + high) >> 1;
    const here = ifReachable(() => candidate(middle / parts));
    if (here !== undefined && cost(here.predicted) > max) {
      high = middle;
      smallestAbove = here;
    } else {
      low = middle;
      best = here ?? best;
    }
  }
  if (best !== undefined) return best;
  const least = cost(smallestAbove.predicted) / (max === limit.limit ? 1 : unpruned.macs);
  throw planError(
    `budget.${limit.kind}`,
    limit.limit,
    `at least ${roundedUp(least)}, which is what this prompt costs with the smallest share that these stages can leave`,
  );
}

/** Undefined when a stage refuses a share: it took 1, so nothing else is wrong with it. */
function ifReachable(make: () => Candidate): Candidate | undefined {
  try {
    return make();
  } catch (error) {
    if (FoveaError.isInstance(error) && error.code === "ERR_FOVEA_PLAN") return undefined;
    throw error;
  }
}

/** Three digits, never below the number. */
function roundedUp(x: number): number {
  const unit = 10 ** (Math.floor(Math.log10(x)) - 2);
  return Number((Math.ceil(x / unit) * unit).toPrecision(3));
}
