import { coverageAlgorithm } from "../coverage-algorithm.js";
import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import type { CoverageAlgorithm } from "../step.js";

/** Options of `eadp`. */
export interface EadpOptions extends KeepOptions {
  /** -1: rows unlike the question matter. 1: rows like it do. */
  sign?: 1 | -1;
  /** Share of the question's tokens that count one by one. */
  words?: number;
  /** Exponent of importance. */
  beta?: number;
  algorithm?: CoverageAlgorithm;
}

/** EADP: rows that cover what matters to the question. */
export const eadp: Method<EadpOptions> = {
  name: "eadp",
  doc:
    "Keeps, of each image, the rows that cover its projected rows best by cosine, where covering a row is worth its " +
    "importance to the text behind the image: half of it by the mean of that text, half by its sharpest tokens, those " +
    "whose cosines times 100 make a softmax over rows of the lowest entropy, weighted by softmax(-entropy / 0.01). The sum " +
    "is scaled to 0 to 1, smoothed by a 3 x 3 Gaussian over the picture where it fills its grid, and raised to the power of " +
    "beta. EADP, ECCV 2026. Here the text is the prompt's own rows, as in its code for Qwen, whose words 0.2 and beta 1 are " +
    "the defaults; with CLIP's text tower, which LLaVA checkpoints do not contain, the paper takes half of the words and " +
    "betas near 10. The code counts rows unlike the text (sign -1) outside CLIP's space too, where others have measured " +
    "that the opposite serves better: try both. Budgets are 128, 64 and 32 of 576 rows; there is no default.",
  options: {
    ...keepOptions,
    sign: { kind: "choice", of: [-1, 1], default: -1, description: "-1: rows unlike the text matter; 1: rows like it" },
    words: { kind: "ratio", default: 0.2, description: "share of the text's tokens that count one by one" },
    beta: { kind: "number", from: 0.01, to: 100, default: 1, description: "exponent of importance" },
    algorithm: coverageAlgorithm,
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower({ sign = -1, words, beta = 1, algorithm = "lazy", ...amount }, { tower }) {
    const side = Math.floor(tower.imageSize / tower.patchSize);
    return [
      {
        name: "eadp",
        hook: "projected",
        steps: [
          { do: "text", rows: "textAfter", take: "mean", to: "question" },
          { do: "text", rows: "textAfter", take: "all", to: "words" },
          { do: "score", by: "cosine", features: "hidden", vectors: "question", sign, to: "whole" },
          {
            do: "score",
            by: "focusedCosine",
            features: "hidden",
            vectors: "words",
            sign,
            share: words as number,
            to: "sharp",
          },
          { do: "combine", by: "sum", scores: ["whole", "sharp"], factors: [0.5, 0.5], to: "relevance" },
          { do: "normalise", by: "minMax", score: "relevance", to: "scaled" },
          { do: "normalise", by: "smooth3x3", score: "scaled", rows: side, columns: side, to: "smooth" },
          { do: "normalise", by: "power", score: "smooth", exponent: beta, to: "importance" },
          {
            do: "select",
            by: "coverage",
            // (1 + cosine) / 2 from 0, as published, gains half of what the cosine gains from -1: the same choice.
            cover: [{ features: "hidden", weight: "importance", floor: -1 }],
            algorithm,
            keep: keepBudget(amount),
            to: "kept",
          },
          { do: "gather", rows: "kept" },
        ],
      },
    ];
  },
};
