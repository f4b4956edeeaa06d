import { coverageAlgorithm } from "../coverage-algorithm.js";
import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import type { CoverageAlgorithm } from "../step.js";

/** Options of `mmTok`. */
export interface MmTokOptions extends KeepOptions {
  /** Of the softmax that says which rows a word is about. */
  text_temperature?: number;
  /** Of the softmax that says which rows a row is like. */
  vision_temperature?: number;
  /** What covering the picture counts against covering the words. */
  vision_weight?: number;
  algorithm?: CoverageAlgorithm;
}

/** MMTok: rows that cover the words of the question and the picture. */
export const mmTok: Method<MmTokOptions> = {
  name: "mmTok",
  doc:
    "Keeps, of each image, the rows that together cover both the words behind the image and the picture itself: greedy " +
    "coverage of softmax similarities, words to projected rows at a temperature of 0.02 and the tower's features to each " +
    "other at 0.2, the latter counting half. MMTok, arXiv 2508.18264; temperatures and weight are those of the released " +
    "code for LLaVA (0.01 for words on Qwen). It removes stop words first; here all tokens of the text count, the chat " +
    "template's included. The code works with 10 to 20 per cent of the rows and has no one default.",
  options: {
    ...keepOptions,
    text_temperature: { kind: "number", from: 0.001, to: 10, default: 0.02, description: "of words over rows" },
    vision_temperature: { kind: "number", from: 0.001, to: 10, default: 0.2, description: "of rows over rows" },
    vision_weight: {
      kind: "number",
      from: 0.001,
      to: 1000,
      default: 0.5,
      description: "of the picture against the words",
    },
    algorithm: coverageAlgorithm,
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ text_temperature, vision_temperature, vision_weight, algorithm = "lazy", ...amount }) => [
    {
      name: "mmTok",
      hook: "projected",
      steps: [
        { do: "text", rows: "textAfter", take: "all", to: "words" },
        { do: "tap", of: "output", to: "seen" },
        {
          do: "select",
          by: "coverage",
          cover: [
            { features: "hidden", vectors: "words", temperature: text_temperature as number },
            { features: "seen", temperature: vision_temperature as number, scale: vision_weight as number },
          ],
          algorithm,
          keep: keepBudget(amount),
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
