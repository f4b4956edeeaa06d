import type { PromptShape } from "../prune/budget/cost-facts.js";
import type { CostModel } from "../prune/budget/cost-model.js";
import { measureCosts, measureSelect, type PhaseMs } from "../prune/budget/measure-costs.js";
import { isCacheStage, type LoweredPlan, type PlanStage } from "../prune/plan.js";
import { isFree, stageAtShare } from "../prune/stage-at-share.js";
import { lowerPlan } from "../prune/validate-plan.js";
import { costFile, readCosts, writeCosts } from "./cost-cache.js";
import type { ModelInfo } from "./model.js";
import { onAbort } from "./on-abort.js";

/** Runs a made-up prompt up to its first token. */
export type Probe = (prompt: PromptShape, plan: LoweredPlan, signal: AbortSignal | undefined) => Promise<PhaseMs>;

/** Measures what a model costs on this machine, each part once: then it is in memory, and in a file for the next process. */
export class CostMeter {
  readonly #info: ModelInfo;
  readonly #cpu: () => string;
  readonly #probe: Probe;
  #costs: CostModel | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(info: ModelInfo, cpu: () => string, probe: Probe) {
    this.#info = info;
    this.#cpu = cpu;
    this.#probe = probe;
  }

  /** Costs that know how long these stages take to choose rows. `again` forgets what is known. Callers wait for each other; an abort ends the wait. */
  async get(stages: readonly PlanStage[], signal: AbortSignal | undefined, again = false): Promise<CostModel> {
    signal?.throwIfAborted();
    const turn = this.#last.then(() => this.#complete(stages, signal, again));
    this.#last = turn.catch(() => {});
    let stopListening = () => {};
    const aborted = new Promise<never>((_, reject) => {
      stopListening = onAbort(signal, () => reject(signal?.reason));
    });
    try {
      return await Promise.race([turn, aborted]);
    } finally {
      stopListening();
    }
  }

  async #complete(stages: readonly PlanStage[], signal: AbortSignal | undefined, again: boolean): Promise<CostModel> {
    signal?.throwIfAborted();
    if (!again && this.#costs !== undefined && this.#missing(stages, this.#costs).length === 0) return this.#costs;
    const file = await costFile(this.#info, this.#cpu());
    const probe = (prompt: PromptShape, plan: LoweredPlan) => this.#probe(prompt, plan, signal);
    const known = again ? undefined : (this.#costs ?? (await readCosts(file)));
    const costs = known ?? { ...(await measureCosts(probe, this.#info)), select: {} };
    const missing = this.#missing(stages, costs);
    let { select } = costs;
    for (const stage of missing) select = { ...select, ...(await measureSelect(probe, stage, this.#info)) };
    this.#costs = { ...costs, select };
    if (known === undefined || missing.length > 0) await writeCosts(file, this.#costs);
    return this.#costs;
  }

  /** The stages whose names nobody has measured; stages on the cache are left out. */
  #missing(stages: readonly PlanStage[], { select }: CostModel): PlanStage[] {
    return stages.filter((stage) => {
      const concrete = isFree(stage) ? stageAtShare(stage, 1, this.#info) : stage;
      const lowered = lowerPlan({ stages: [concrete] }, this.#info).stages;
      return lowered.some((one) => !isCacheStage(one) && !Object.hasOwn(select, one.name));
    });
  }
}
