import type { Plan } from "../prune/plan.js";
import type { Answer } from "./answer.js";
import type { Cell } from "./cell.js";
import type { Flops } from "./flops.js";
import type { Question } from "./question.js";
import { mean, median, type Proportion, proportion, sum } from "./statistics.js";

/** Milliseconds of a phase over the questions that were timed. */
export interface Milliseconds {
  median: number;
  sum: number;
}

/** What one cell came to. */
export interface CellResult {
  name: string;
  line: string;
  /** The share of the visual rows that the plan was made for. */
  share?: number;
  plan: Plan;
  questions: number;
  /** Mean score. */
  accuracy: Proportion;
  /** Share of the replies that are the same, letter for letter, as without pruning. */
  loyalty: Proportion;
  /** Per kind of question. */
  kinds: Record<string, { questions: number; accuracy: Proportion }>;
  /** Groups with every question right: MME's acc+, MMBench's CircularEval. */
  groups?: { groups: number; accuracy: Proportion };
  /** Harmonic mean of precision and recall of "yes": POPE's F1. */
  f1?: number;
  /** Visual rows of a prompt, and of a decoder layer in the mean; both means over the questions. */
  rows: { prompt: number; mean: number };
  /** Mean over the questions. */
  flops: Flops;
  milliseconds: {
    encode: Milliseconds;
    prefill: Milliseconds;
    /** Of prefill: choosing rows. */
    select: Milliseconds;
    decode: Milliseconds;
    /** Encode and prefill. */
    firstToken: Milliseconds;
  };
  generatedTokens: number;
}

/**
 * The figures of a cell.
 *
 * @param answers - one for each question, in the same order.
 * @param reference - the answers without pruning, likewise.
 * @param timed - answers of any number of questions, asked one at a time with nothing cached.
 */
export function summarise(
  { name, line, share, plan }: Cell,
  questions: readonly Question[],
  answers: readonly Answer[],
  reference: readonly Answer[],
  timed: readonly Answer[],
): CellResult {
  const scores = answers.map(({ score }) => score);
  const groups = byKey(questions, scores, ({ group }) => group);
  const f1 = f1OfYes(questions, scores);
  const phase = (of: (answer: Answer) => number) => {
    const values = timed.map(of);
    return { median: median(values), sum: sum(values) };
  };
  return {
    name,
    line,
    ...(share !== undefined && { share }),
    plan,
    questions: questions.length,
    accuracy: proportion(scores),
    loyalty: proportion(answers.map(({ text }, i) => Number(text === reference[i]?.text))),
    kinds: Object.fromEntries(
      [...byKey(questions, scores, ({ kind }) => kind)]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([kind, some]) => [kind, { questions: some.length, accuracy: proportion(some) }]),
    ),
    ...(groups.size > 0 && {
      groups: {
        groups: groups.size,
        accuracy: proportion([...groups.values()].map((some) => Number(some.every((score) => score === 1)))),
      },
    }),
    ...(f1 !== undefined && { f1 }),
    rows: { prompt: mean(answers.map((one) => one.visualRows)), mean: mean(answers.map((one) => one.meanRows)) },
    flops: {
      imageMacs: mean(answers.map(({ flops }) => flops.imageMacs)),
      textImageMacs: mean(answers.map(({ flops }) => flops.textImageMacs)),
      flops: mean(answers.map(({ flops }) => flops.flops)),
    },
    milliseconds: {
      encode: phase(({ encode }) => encode),
      prefill: phase(({ prefill }) => prefill),
      select: phase(({ select }) => select),
      decode: phase(({ decode }) => decode),
      firstToken: phase(({ encode, prefill }) => encode + prefill),
    },
    generatedTokens: sum(answers.map(({ generatedTokens }) => generatedTokens)),
  };
}

/** Scores by what a question belongs to; questions that belong to nothing are left out. */
function byKey(
  questions: readonly Question[],
  scores: readonly number[],
  keyOf: (question: Question) => string | undefined,
): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const [i, question] of questions.entries()) {
    const key = keyOf(question);
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), scores[i] as number]);
  }
  return groups;
}

/** Only where every question is answered by yes or no. A wrong answer counts as the other one. */
function f1OfYes(questions: readonly Question[], scores: readonly number[]): number | undefined {
  const labels = questions.map(({ answers }) => answers[0]);
  if (!labels.every((label) => label === "yes" || label === "no")) return undefined;
  const right = labels.filter((label, i) => label === "yes" && scores[i] === 1).length;
  const wrong = scores.filter((score) => score < 1).length;
  return right === 0 ? 0 : (2 * right) / (2 * right + wrong);
}
