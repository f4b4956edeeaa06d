import { FoveaError } from "../../errors.js";
import type { LoweredPlan, PlanStage, RowStage } from "../plan.js";
import { isFree, stageAtShare } from "../stage-at-share.js";
import { lowerPlan } from "../validate-plan.js";
import type { CostFacts, PromptShape } from "./cost-facts.js";
import type { CostModel, Line } from "./cost-model.js";
import { fitLine } from "./fit-line.js";
import { predictRows } from "./predict-rows.js";
import { workOf } from "./work.js";

/** Milliseconds of one request. */
export interface PhaseMs {
  encode: number;
  prefill: number;
  /** Of the other two: choosing rows. */
  select: number;
}

/** Runs a made-up prompt up to its first token and says what it took. */
export type CostProbe = (prompt: PromptShape, plan: LoweredPlan) => Promise<PhaseMs>;

const textRows = 16;
const maxRuns = 5;
const enoughMs = 1000;

/**
 * Measures what encode and prefill take: one image with its rows at four shares, with half of them inside the tower where rows may leave it,
 * and two images where the context holds them. Every point is the best of a few runs.
 */
export async function measureCosts(probe: CostProbe, facts: CostFacts): Promise<Pick<CostModel, "encode" | "prefill">> {
  const one = prompt(1, facts);
  const two = prompt(2, facts);
  const cases: [PromptShape, LoweredPlan][] = [
    ...[1, 0.75, 0.5, 0.25].map((ratio): [PromptShape, LoweredPlan] => [one, uniform({ hook: "projected" }, ratio)]),
    ...(facts.tower.isPrunable
      ? [[one, uniform({ hook: "vision-layer", layer: 0 }, 0.5)] as [PromptShape, LoweredPlan]]
      : []),
    ...(2 * facts.imageRows + two.textRows < facts.contextLength
      ? [[two, uniform({ hook: "projected" }, 1)] as [PromptShape, LoweredPlan]]
      : []),
  ];
  await probe(one, uniform({ hook: "projected" }, 1)); // the first pass of a model finds nothing in any cache
  const [encode, prefill]: { x: number; y: number }[][] = [[], []];
  for (const [shape, plan] of cases) {
    const work = workOf(predictRows(plan, shape, facts), facts);
    const ms = await bestOf(() => probe(shape, plan));
    const inTower = plan.stages[0]?.hook === "vision-layer" ? ms.select : 0;
    encode?.push({ x: work.encode, y: ms.encode - inTower });
    prefill?.push({ x: work.prefill, y: ms.prefill - (ms.select - inTower) });
  }
  return { encode: fitLine(encode ?? []), prefill: fitLine(prefill ?? []) };
}

/**
 * Measures what a stage takes to choose rows: as it is or, if it is free, at two shares.
 *
 * @returns a line for every name that the method gives its stages.
 */
export async function measureSelect(
  probe: CostProbe,
  stage: PlanStage,
  facts: CostFacts,
): Promise<Record<string, Line>> {
  const shape = prompt(1, facts);
  const points: { x: number; y: number }[] = [];
  const names = new Set<string>();
  for (const plan of isFree(stage) ? atShares(stage, facts) : [lowerPlan({ stages: [stage] }, facts)]) {
    const { stages } = predictRows(plan, shape, facts);
    const rowsIn = stages.reduce((sum, work) => sum + work.rowsIn, 0);
    const pairs = stages.reduce((sum, work) => sum + work.pairs, 0);
    const { select } = await bestOf(() => probe(shape, plan));
    points.push({ x: pairs / rowsIn, y: select / rowsIn });
    for (const { name } of stages) names.add(name);
  }
  const line = fitLine(points);
  return Object.fromEntries([...names].map((name) => [name, line]));
}

/** The stage at a large and a small share, and at all rows where it can leave neither. */
function atShares(stage: PlanStage, facts: CostFacts): LoweredPlan[] {
  const plans = [0.75, 0.3].flatMap((share) => {
    try {
      return [lowerPlan({ stages: [stageAtShare(stage, share, facts)] }, facts)];
    } catch (error) {
      if (FoveaError.isInstance(error) && error.code === "ERR_FOVEA_PLAN") return []; // a share it cannot leave
      throw error;
    }
  });
  return plans.length > 0 ? plans : [lowerPlan({ stages: [stageAtShare(stage, 1, facts)] }, facts)];
}

function prompt(images: number, { imageRows, contextLength }: CostFacts): PromptShape {
  const room = contextLength - images * imageRows - 1; // and a token to answer with
  return { textRows: Math.max(1, Math.min(textRows, room)), images: Array<number>(images).fill(imageRows) };
}

/** Evenly spaced rows: of all choices the one that takes the least time. */
function uniform(place: Pick<RowStage, "hook" | "layer">, ratio: number): LoweredPlan {
  const keep = { ratio, of: "stage", rounding: "half-even" } as const;
  const steps: RowStage["steps"] = [
    { do: "select", by: "uniform", keep, to: "kept" },
    { do: "gather", rows: "kept" },
  ];
  return { positions: "compact", stages: [{ name: "uniform", ...place, steps }], skip: [] };
}

/** Per phase, the best of a few runs, as everything else on a machine only adds; fewer runs where one takes long. */
async function bestOf(run: () => Promise<PhaseMs>): Promise<PhaseMs> {
  const best = { ...(await run()) };
  let spent = best.encode + best.prefill;
  for (let runs = 1; runs < maxRuns && spent < enoughMs; ++runs) {
    const ms = await run();
    spent += ms.encode + ms.prefill;
    for (const phase of ["encode", "prefill", "select"] as const) best[phase] = Math.min(best[phase], ms[phase]);
  }
  return best;
}
