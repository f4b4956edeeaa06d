import { join } from "node:path";
import type { ModelInfo } from "../engine/model.js";
import { FoveaError } from "../errors.js";
import { planSolver } from "../prune/budget/solve-plan.js";
import type { Answer } from "./answer.js";
import { AnswerLog, fileName } from "./answer-log.js";
import { type AskOptions, askCell, type EvalModel } from "./ask-cell.js";
import { type Cell, type SkippedCell, unpruned } from "./cell.js";
import type { Question, QuestionSet } from "./question.js";
import { type CellResult, summarise } from "./summarise.js";

/** What to measure, and how. */
export interface EvaluateOptions {
  /** A loaded model. */
  model: EvalModel;
  /** From `loadQuestions`. */
  questions: QuestionSet;
  /** From `gridCells`, or plans of your own; the unpruned model is always measured too, first. */
  cells?: Cell[];
  /** Cells that could not be made; they are passed on to the report. */
  skipped?: SkippedCell[];
  /** Folder that every answer is written to as it comes; without it answers are kept in memory only. */
  out?: string;
  /** Take up the answers that `out` holds. Default: refuse a folder that holds some. */
  resume?: boolean;
  /** Questions asked at a time while answers are compared, default 1. */
  concurrency?: number;
  /**
   * Questions whose milliseconds are measured, default 24: spread over the set and asked again at the end, one at a
   * time, with nothing cached, each under every plan in turn, so that whatever else the machine does falls on all alike.
   */
  timed?: number;
  /** Tokens of an answer at most, default 64. */
  maxTokens?: number;
  /** Stops within one layer or token; the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called after every answer. */
  onProgress?: (progress: Progress) => void;
}

/** How far an evaluation is. */
export interface Progress {
  cell: string;
  /** Cells that are finished, and all. */
  cellsDone: number;
  cells: number;
  /** Answers of all cells: those of an earlier run, of this run, and all that are wanted. */
  resumed: number;
  asked: number;
  total: number;
}

/** What an evaluation found; plain JSON. */
export interface Evaluation {
  model: Pick<ModelInfo, "path" | "family" | "dtype" | "tier" | "threads" | "parameters" | "nLayers">;
  questions: Pick<QuestionSet, "path" | "format" | "rule" | "suffix" | "digest"> & { count: number };
  settings: { concurrency: number; maxTokens: number; timed: number };
  /** The unpruned model first. */
  cells: CellResult[];
  skipped: SkippedCell[];
}

type AskHow = Pick<AskOptions, "concurrency" | "cache">;

const maxConcurrency = 256;

/**
 * Asks a model the same questions under several plans and compares answers, rows, work and milliseconds.
 *
 * @example
 * const questions = await loadQuestions("model/eval/questions.jsonl", { limit: 200 });
 * const { cells, skipped } = gridCells([{ method: "divPrune" }, { method: "uniform" }], [0.5, 0.25], model.info);
 * const evaluation = await evaluate({ model, questions, cells, skipped, out: "runs/first" });
 * await writeReports(evaluation, "runs/first");
 * @throws FoveaError, or the signal's reason when it was aborted; with `out`, `resume` then goes on where it stopped.
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { model, questions: set, signal, skipped = [] } = options;
  const concurrency = readCount("concurrency", options.concurrency ?? 1, maxConcurrency);
  const maxTokens = readCount("maxTokens", options.maxTokens ?? 64, model.info.contextLength);
  const timed = spread(byPicture(set.questions), readCount("timed", options.timed ?? 24, Number.MAX_SAFE_INTEGER));
  if (options.resume === true && options.out === undefined) {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", "resume needs out, the folder that holds the answers so far.");
  }
  const cells = [unpruned, ...(options.cells ?? [])];
  checkCells(cells, model.info);
  const questions = byPicture(set.questions);
  const logs = await openLogs(options, "answers", cells, maxTokens);
  const clocks = await openLogs(options, "timings", cells, maxTokens);
  try {
    const count = (some: readonly AnswerLog[], of: readonly Question[]) =>
      some.reduce((sum, { answers }) => sum + of.filter(({ id }) => answers.has(id)).length, 0);
    const progress = { cells: cells.length, asked: 0, total: cells.length * (questions.length + timed.length) };
    const resumed = count(logs, questions) + count(clocks, timed);
    const ask = async (log: AnswerLog, cell: Cell, cellsDone: number, some: readonly Question[], how: AskHow) => {
      const report = () => options.onProgress?.({ ...progress, resumed, cell: cell.name, cellsDone });
      report();
      const pending = some.filter(({ id }) => !log.answers.has(id));
      await askCell(model, set, pending, cell.plan, { ...how, maxTokens, signal }, async (answer) => {
        await log.add(answer);
        progress.asked += 1;
        report();
      });
    };
    for (const [i, cell] of cells.entries()) {
      await ask(logs[i] as AnswerLog, cell, i, questions, { concurrency, cache: true });
    }
    for (const question of timed) {
      for (const [i, cell] of cells.entries()) {
        await ask(clocks[i] as AnswerLog, cell, cells.length, [question], { concurrency: 1, cache: false });
      }
    }
    const answersOf = (log: AnswerLog | undefined, some: readonly Question[]) =>
      some.map(({ id }) => log?.answers.get(id) as Answer);
    const reference = answersOf(logs[0], questions);
    const results = cells.map((cell, i) =>
      summarise(cell, questions, answersOf(logs[i], questions), reference, answersOf(clocks[i], timed)),
    );
    const settings = { concurrency, maxTokens, timed: timed.length };
    return { ...facts(model.info, set), settings, cells: results, skipped };
  } finally {
    await Promise.all([...logs, ...clocks].map((log) => log.close()));
  }
}

/** `count` questions at equal steps, or all when there are fewer. */
function spread(questions: readonly Question[], count: number): Question[] {
  const n = Math.min(count, questions.length);
  return Array.from({ length: n }, (_, i) => questions[Math.floor(((i + 0.5) * questions.length) / n)] as Question);
}

/** A log per cell; all of them before anything is asked, so that what cannot be resumed is refused at once. */
async function openLogs(
  options: EvaluateOptions,
  folder: string,
  cells: Cell[],
  maxTokens: number,
): Promise<AnswerLog[]> {
  const { out, resume = false, model, questions } = options;
  const logs: AnswerLog[] = [];
  try {
    for (const { name, plan } of cells) {
      const { path, parameters, dtype } = model.info;
      const { digest, rule, suffix } = questions;
      const header = {
        cell: name,
        plan,
        questions: digest,
        rule,
        suffix,
        maxTokens,
        model: { path, parameters, dtype },
      };
      logs.push(out === undefined ? new AnswerLog() : await AnswerLog.open(join(out, folder), name, header, resume));
    }
    return logs;
  } catch (error) {
    await Promise.all(logs.map((log) => log.close()));
    throw error;
  }
}

/** Questions about one picture one after another, so that whoever caches pictures finds it there. */
function byPicture(questions: readonly Question[]): Question[] {
  const pictures = new Map<string, Question[]>();
  for (const question of questions) {
    const group = pictures.get(question.imageKey);
    if (group === undefined) pictures.set(question.imageKey, [question]);
    else group.push(question);
  }
  return [...pictures.values()].flat();
}

function facts(
  { path, family, dtype, tier, threads, parameters, nLayers }: ModelInfo,
  { path: file, format, rule, suffix, digest, questions }: QuestionSet,
): Pick<Evaluation, "model" | "questions"> {
  return {
    model: { path, family, dtype, tier, threads, parameters, nLayers },
    questions: { path: file, format, rule, suffix, digest, count: questions.length },
  };
}

/** Plans that the model can run, under names that are different as names of files too. */
function checkCells(cells: Cell[], info: ModelInfo): void {
  const names = new Map<string, string>();
  for (const { name, plan } of cells) {
    planSolver(plan, info);
    const file = fileName(name).toLowerCase();
    const other = names.get(file);
    if (other !== undefined) {
      throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `Two cells have one name: "${other}" and "${name}".`);
    }
    names.set(file, name);
  }
}

function readCount(name: string, value: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${name} is ${value}; expected a whole number from 1 to ${max}.`);
}
