import type { GenerateOptions } from "../engine/generate-options.js";
import type { Model } from "../engine/model.js";
import type { Reply } from "../engine/reply.js";
import { FoveaError } from "../errors.js";
import type { Plan } from "../prune/plan.js";
import { type Answer, toAnswer } from "./answer.js";
import type { Question, QuestionSet } from "./question.js";

/** What an evaluation uses of a model. */
export type EvalModel = Pick<Model, "info" | "stream">;

/** How the questions of a cell are asked. */
export interface AskOptions {
  concurrency: number;
  maxTokens: number;
  /** Whether what was computed for earlier questions may be used. */
  cache: boolean;
  signal: AbortSignal | undefined;
}

/**
 * Asks questions under one plan, `concurrency` at a time, greedily, and hands over every answer as it comes. The first
 * failure stops the others.
 */
export async function askCell(
  model: EvalModel,
  set: QuestionSet,
  questions: Question[],
  plan: Plan,
  { concurrency, signal, ...options }: AskOptions,
  onAnswer: (answer: Answer) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const pending = questions.values();
  const worker = async () => {
    for (const question of pending) {
      const text = set.suffix === "" ? question.text : `${question.text}\n${set.suffix}`;
      const messages = [{ role: "user" as const, content: text }];
      const reply = await replyOf(model, { messages, images: [question.image], plan, ...options, signal: stop });
      await onAnswer(toAnswer(question, set.rule, reply, model.info));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, () => worker().catch((reason) => failed.abort(reason))));
  signal?.throwIfAborted();
  failed.signal.throwIfAborted();
}

/** The reply at the end of a stream; half an answer is none. */
export async function replyOf(model: Pick<EvalModel, "stream">, options: GenerateOptions): Promise<Reply> {
  for await (const event of model.stream(options)) {
    options.signal?.throwIfAborted();
    if (event.type === "generation-end") return event.reply;
  }
  throw new FoveaError("ERR_FOVEA_INTERNAL", "A stream ended without a reply.");
}
