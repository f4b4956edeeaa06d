import { readImages } from "../engine/forward.js";
import type { ModelInputs } from "../engine/inputs.js";
import type { Model, ModelInfo } from "../engine/model.js";
import { shareRows } from "../engine/share-rows.js";
import { FoveaError } from "../errors.js";
import { replyOf } from "../eval/ask-cell.js";
import type { Question, QuestionSet } from "../eval/question.js";
import { mean, median, type Proportion, proportion } from "../eval/statistics.js";
import { type Budget, type Limit, readBudget } from "../prune/budget/budget.js";
import type { CostFacts, PromptShape } from "../prune/budget/cost-facts.js";
import type { CostModel } from "../prune/budget/cost-model.js";
import { costOf, limitFor, type PlanCosts, planCosts } from "../prune/budget/plan-costs.js";
import { predictRows } from "../prune/budget/predict-rows.js";
import type { Plan, PlanStage } from "../prune/plan.js";
import { planError } from "../prune/plan-error.js";
import { lowerPlan } from "../prune/validate-plan.js";
import type { Message } from "../text/messages.js";
import { EvaluationLog } from "./evaluation-log.js";
import { cosine } from "./loyalty.js";
import { randomNumbers } from "./random.js";
import { search } from "./search.js";
import { type SearchSpace, searchSpace } from "./search-space.js";
import { split } from "./split.js";

/** What tuning uses of a model. */
export type TuneModel = Pick<Model, "info" | "process" | "forward" | "stream" | "costModel">;

/** What to search, and how long. */
export interface TuneOptions {
  model: TuneModel;
  /** From `loadQuestions`. */
  questions: QuestionSet;
  /** Stages with the options that are settled; what they leave open is searched. */
  stages: PlanStage[];
  /** What the longest of the prompts may cost. */
  budget: Budget;
  /** Questions that plans are compared on, default 32. */
  samples?: number;
  /** Questions about other pictures that the best plan is tried on, default 64. */
  heldOut?: number;
  /** Plans to try, default 60. */
  evaluations?: number;
  /** Start of the random numbers, default 0. */
  seed?: number;
  /** Tokens of an answer at most, default 64. */
  maxTokens?: number;
  /** File that every value is written to; a search that was stopped goes on from it. */
  log?: string;
  /** Stops within one layer or token; the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called after every prompt that was prepared, plan that was compared and question that was tried. */
  onProgress?: (progress: TuneProgress) => void;
}

/** How far a search is. */
export interface TuneProgress {
  phase: "prepare" | "search" | "try";
  done: number;
  total: number;
  /** In `search`: the value of the best plan so far. */
  best?: number;
}

/** What a search found: a plan like any other, with what it is worth in its notes. */
export type TunedPlan = Plan & { notes: TuneNotes };

/** What a plan is worth, and what it costs. */
export interface TuneNotes {
  budget: Budget;
  /** Mean cosine between the last row after the final norm with the plan and without, over the samples; 1 is the same. */
  likeness: number;
  /** The same of the middle of the space, where every place loses an equal part: what the search began with. */
  firstLikeness: number;
  samples: number;
  evaluations: number;
  seed: number;
  /** For the longest prompt of the samples, with the plan and without. */
  predicted: PlanCosts;
  unpruned: PlanCosts;
  /** On questions about pictures that the search has not seen. */
  heldOut?: {
    questions: number;
    /** Share of the answers that are the same as without the plan, letter for letter. */
    loyalty: Proportion;
    /** Median milliseconds of encode and prefill, with the plan and without. */
    ms: number;
    unprunedMs: number;
  };
}

interface Sample {
  inputs: ModelInputs;
  /** (d_model), unpruned. */
  hidden: Float32Array;
}

/** What stages cost, and whether that is within the budget. */
interface Pricing {
  costs(stages: PlanStage[]): PlanCosts;
  isWithin(stages: PlanStage[]): boolean;
}

type Settings = Required<Pick<TuneOptions, "samples" | "heldOut" | "evaluations" | "seed" | "maxTokens">>;

const maxSamples = 1024;
const maxEvaluations = 1_000_000;
/** Far beyond where the smallest weight that counts leaves no more than a row of an image. */
const maxStrength = 128;

/**
 * Searches stages, layers and ratios for a model and its questions: VFlowOpt's objective (arXiv 2508.05211), how much
 * the prompt's last row, after the decoder's final norm, still points where it does without pruning, under a budget
 * that every candidate uses up. `search` says how it is searched, `searchSpace` what.
 *
 * @example
 * const questions = await loadQuestions("questions.jsonl");
 * const plan = await tune({ model, questions, stages: [{ method: "pyramidDrop" }], budget: { ratio: 0.3 } });
 * @throws FoveaError, or the signal's reason when it was aborted.
 */
export async function tune(options: TuneOptions): Promise<TunedPlan> {
  const { model, questions, stages, budget, signal, onProgress } = options;
  const settings = readSettings(options);
  const space = searchSpace(stages, model.info);
  const limit = readBudget(budget);
  const log = await openLog(options, settings);
  try {
    const parts = split(questions.questions, settings.samples, settings.heldOut, randomNumbers(settings.seed));
    const samples = await prepare(options, parts.search);
    const middle = space.stagesAt(Array<number>(space.nDimensions).fill(0.5), 1);
    const costModel =
      limit.kind === "ms" ? await model.costModel({ stages: middle, ...(signal && { signal }) }) : undefined;
    const pricing = price(limit, longestPrompt(samples, model.info), model.info, costModel);
    let firstLikeness: number | undefined;
    const evaluate = async (point: number[]) => {
      signal?.throwIfAborted();
      const plan = { stages: planWithin(space, point, pricing) };
      if (plan.stages === undefined) return Number.NEGATIVE_INFINITY;
      const value = await log.value(plan, () => likeness(model, samples, plan as Plan, signal));
      firstLikeness ??= value;
      return value;
    };
    const best = await search(space.nDimensions, evaluate, settings, (done, { value }) =>
      onProgress?.({ phase: "search", done, total: settings.evaluations, best: value }),
    );
    const found = planWithin(space, best.point, pricing);
    if (found === undefined) {
      const least = costOf(limit.kind, pricing.costs(space.stagesAt(best.point, maxStrength)));
      throw planError(
        `budget.${limit.kind}`,
        limit.limit,
        `more: the plans that were tried cost ${least.toPrecision(3)}`,
      );
    }
    const heldOut = await tryOut(options, parts.heldOut, { stages: found }, settings.maxTokens);
    const { evaluations, seed } = settings;
    const notes: TuneNotes = {
      budget,
      likeness: best.value,
      firstLikeness: firstLikeness as number,
      samples: samples.length,
      evaluations,
      seed,
      predicted: pricing.costs(found),
      unpruned: pricing.costs([]),
      ...(heldOut !== undefined && { heldOut }),
    };
    return { stages: found, notes };
  } finally {
    await log.close();
  }
}

function readSettings(options: TuneOptions): Settings {
  const { samples = 32, heldOut = 64, evaluations = 60, seed = 0, maxTokens = 64 } = options;
  return {
    samples: readCount("samples", samples, 1, maxSamples),
    heldOut: readCount("heldOut", heldOut, 0, Number.MAX_SAFE_INTEGER),
    evaluations: readCount("evaluations", evaluations, 1, maxEvaluations),
    seed: readCount("seed", seed, 0, 2 ** 32 - 1),
    maxTokens: readCount("maxTokens", maxTokens, 1, options.model.info.contextLength),
  };
}

/** A value depends on the model, the questions that were drawn, and the plan. */
async function openLog({ log, model, questions }: TuneOptions, { samples, seed }: Settings): Promise<EvaluationLog> {
  if (log === undefined) return new EvaluationLog();
  const { path, parameters, dtype } = model.info;
  const { digest, suffix } = questions;
  return EvaluationLog.open(log, { path, parameters, dtype, digest, suffix, samples, seed });
}

/** The inputs of the questions, and where the last row points unpruned. */
async function prepare({ model, questions, signal, onProgress }: TuneOptions, some: Question[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const question of some) {
    const messages = messagesOf(question, questions.suffix);
    const inputs = await model.process(messages, { images: [question.image], ...(signal && { signal }) });
    samples.push({ inputs, hidden: await lastHidden(model, inputs, {}, signal) });
    onProgress?.({ phase: "prepare", done: samples.length, total: some.length });
  }
  return samples;
}

function messagesOf({ text }: Question, suffix: string): Message[] {
  return [{ role: "user", content: suffix === "" ? text : `${text}\n${suffix}` }];
}

async function lastHidden(
  model: TuneModel,
  inputs: ModelInputs,
  plan: Plan,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const result = await model.forward({ ...inputs, plan }, { logitsToKeep: 1, ...(signal && { signal }) });
  return result.lastHidden.data;
}

/** Mean cosine between the last rows with the plan and without. */
async function likeness(
  model: TuneModel,
  samples: Sample[],
  plan: Plan,
  signal: AbortSignal | undefined,
): Promise<number> {
  const cosines: number[] = [];
  for (const { inputs, hidden } of samples) cosines.push(cosine(await lastHidden(model, inputs, plan, signal), hidden));
  return mean(cosines);
}

/** The shape of the sample with the most rows. */
function longestPrompt(samples: readonly Sample[], { imageTokenId, tower }: ModelInfo): PromptShape {
  const shapes = samples.map(({ inputs }) => {
    const ids = inputs.input_ids;
    const visualRows = ids.data.filter((id: number | bigint) => Number(id) === imageTokenId).length;
    return { textRows: ids.data.length - visualRows, images: shareRows(visualRows, readImages(inputs), tower.frames) };
  });
  const rows = ({ textRows, images }: PromptShape) => images.reduce((sum, n) => sum + n, textRows);
  return shapes.reduce((longest, shape) => (rows(shape) > rows(longest) ? shape : longest));
}

function price(limit: Limit, prompt: PromptShape, facts: CostFacts, model: CostModel | undefined): Pricing {
  const costs = (stages: PlanStage[]) =>
    planCosts(predictRows(lowerPlan({ stages }, facts), prompt, facts), prompt, facts, model);
  const max = limitFor(limit, costs([]));
  return { costs, isWithin: (stages) => costOf(limit.kind, costs(stages)) <= max };
}

/** The stages of a point that lose no more than the budget makes them; undefined when no strength meets it. */
function planWithin(space: SearchSpace, point: readonly number[], { isWithin }: Pricing): PlanStage[] | undefined {
  if (isWithin(space.stagesAt(point, 0))) return space.stagesAt(point, 0);
  let [low, high] = [0, maxStrength];
  if (!isWithin(space.stagesAt(point, high))) return undefined;
  for (let i = 0; i < 24; ++i) {
    const middle = (low + high) / 2;
    if (isWithin(space.stagesAt(point, middle))) high = middle;
    else low = middle;
  }
  return space.stagesAt(point, high);
}

/** Answers with the plan and without, by turns, so that what else the machine does disturbs both. */
async function tryOut(
  { model, questions, signal, onProgress }: TuneOptions,
  some: Question[],
  plan: Plan,
  maxTokens: number,
): Promise<TuneNotes["heldOut"]> {
  if (some.length === 0) return undefined;
  const same: number[] = [];
  const [ms, unprunedMs]: [number[], number[]] = [[], []];
  for (const question of some) {
    const messages = messagesOf(question, questions.suffix);
    const request = { messages, images: [question.image], maxTokens, cache: false, ...(signal && { signal }) };
    const plain = await replyOf(model, request);
    const pruned = await replyOf(model, { ...request, plan });
    same.push(Number(plain.text === pruned.text));
    unprunedMs.push(plain.timings.encode + plain.timings.prefill);
    ms.push(pruned.timings.encode + pruned.timings.prefill);
    onProgress?.({ phase: "try", done: same.length, total: some.length });
  }
  return { questions: some.length, loyalty: proportion(same), ms: median(ms), unprunedMs: median(unprunedMs) };
}

function readCount(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new FoveaError(
    "ERR_FOVEA_INVALID_ARGUMENT",
    `${name} is ${value}; expected a whole number from ${min} to ${max}.`,
  );
}
