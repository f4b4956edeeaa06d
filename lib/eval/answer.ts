import type { ModelInfo } from "../engine/model.js";
import type { Reply } from "../engine/reply.js";
import { isRecord } from "../is-record.js";
import { type Flops, meanVisualRows, prefillFlops } from "./flops.js";
import type { Question } from "./question.js";
import { type ScoringRule, score } from "./score.js";

/** What is remembered of one question under one plan: a line of the answers' file. */
export interface Answer {
  /** The question's. */
  id: string;
  /** The reply without white space around it. */
  text: string;
  /** From 0 to 1. */
  score: number;
  /** Visual rows of the prompt, and of a decoder layer in the mean. */
  visualRows: number;
  meanRows: number;
  generatedTokens: number;
  flops: Flops;
  /** Milliseconds per phase. */
  encode: number;
  prefill: number;
  /** Of prefill: choosing rows. */
  select: number;
  decode: number;
}

/** What is kept of a reply. */
export function toAnswer(
  question: Question,
  rule: ScoringRule,
  { text, usage, timings }: Reply,
  info: ModelInfo,
): Answer {
  const { encode, prefill, select, decode } = timings;
  return {
    id: question.id,
    text: text.trim(),
    score: score(text, question, rule),
    visualRows: usage.visualRows,
    meanRows: meanVisualRows(usage, info.nLayers),
    generatedTokens: usage.generatedTokens,
    flops: prefillFlops(usage, info),
    encode,
    prefill,
    select,
    decode,
  };
}

const numbers = ["score", "visualRows", "meanRows", "generatedTokens", "encode", "prefill", "select", "decode"];

/** True for an answer that was read from a file. */
export function isAnswer(value: unknown): value is Answer {
  if (!isRecord(value) || !isRecord(value.flops)) return false;
  const { imageMacs, textImageMacs, flops } = value.flops;
  return (
    typeof value.id === "string" &&
    typeof value.text === "string" &&
    [...numbers.map((name) => value[name]), imageMacs, textImageMacs, flops].every(Number.isFinite)
  );
}
