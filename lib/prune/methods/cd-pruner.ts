import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import { planError } from "../plan-error.js";
import type { KeepBudget, Step } from "../step.js";

/** Options of `cdPruner`. */
export interface CdPrunerOptions extends KeepOptions {
  /** OpenVINO's name for how much goes: per cent of each image's rows that are dropped. */
  pruning_ratio?: number;
  /** OpenVINO's name for how much relevance counts against diversity. */
  relevance_weight?: number;
  /** 1: rows like the text are relevant. -1: rows unlike it are. */
  sign?: 1 | -1;
  /** Compare rows by what sets them apart from the image's mean row, and prefer distinctive ones. */
  center?: boolean;
  /** Look at the two halves of the rows apart. */
  split?: boolean;
}

/** CDPruner: rows that are relevant to the question and do not repeat each other. */
export const cdPruner: Method<CdPrunerOptions> = {
  name: "cdPruner",
  doc:
    "Keeps, of each image, the rows that a determinantal point process finds most diverse, conditioned on their relevance " +
    "to the prompt, before the decoder. CDPruner, arXiv 2506.10967, with the options of OpenVINO GenAI under their names. " +
    "Relevance is the cosine of a projected row with the mean embedding of all text tokens of the prompt (template " +
    "included), scaled to 0 to 1 per image. relevance_weight w turns it into a weight exp(w / (2 (1 - w)) r) of the row; " +
    "0 leaves diversity alone and 1 takes r itself, which is the paper's plain kernel. (OpenVINO's graph blends the two " +
    "kernels instead of the exponential form of its own C++ code; this is the latter.) sign 1 and w 0.5 are OpenVINO's " +
    "defaults; the paper negates the cosine, because in CLIP's joint space the patches of an object have the lowest " +
    "one. The paper's own relevance comes from CLIP's text tower, which LLaVA checkpoints do not contain, so it is not " +
    "offered. center is Cen-Prune's variant: cosines of rows minus their mean, weights times distinctiveness. split is " +
    "OpenVINO's mode for long inputs: each half of the rows with its own scale and half of the budget.",
  options: {
    ...keepOptions,
    pruning_ratio: { kind: "percent", description: "per cent of each image's rows to drop, instead of keep" },
    relevance_weight: {
      kind: "number",
      from: 0,
      to: 1,
      default: 0.5,
      description: "0: diversity only; 1: plain kernel",
    },
    sign: { kind: "choice", of: [1, -1], default: 1, description: "1: rows like the text matter; -1: rows unlike it" },
    center: { kind: "switch", default: false, description: "subtract the image's mean row, prefer distinctive rows" },
    split: { kind: "switch", default: false, description: "choose in each half of the rows apart" },
  },
  alternatives: ["keep", "count", "pruning_ratio"],
  keepAll: { keep: 1 },
  lower({ relevance_weight: w = 0.5, sign = 1, center, split, ...amount }, _, where) {
    if (w > 0.99 && w < 1) {
      throw planError(
        `${where}.relevance_weight`,
        w,
        "1 or at most 0.99",
        "Between them weights leave the range of floats.",
      );
    }
    const parts = split ? 2 : 1;
    const relevance = relevanceSteps(w, sign, parts);
    const geometry = center ? geometrySteps() : [];
    const weight = relevance.length > 0 ? (center ? "both" : "relevance") : center ? "distinct" : undefined;
    const both: Step[] =
      weight === "both" ? [{ do: "combine", by: "product", scores: ["relevance", "distinct"], to: "both" }] : [];
    return [
      {
        name: "cdPruner",
        hook: "projected",
        steps: [
          ...relevance,
          ...geometry,
          ...both,
          {
            do: "select",
            by: "dpp",
            features: center ? "centered" : "hidden",
            ...(weight === undefined ? {} : { weight }),
            parts,
            keep: budget(amount),
            to: "kept",
          },
          { do: "gather", rows: "kept" },
        ],
      },
    ];
  },
};

function budget({ pruning_ratio: dropped, ...amount }: CdPrunerOptions): KeepBudget {
  // Rounded as OpenVINO does. What it would round to nothing keeps a row.
  return dropped === undefined ? keepBudget(amount) : { ratio: 1 - dropped / 100, of: "stage", rounding: "half-up" };
}

/** The weight of a row in the kernel; none when relevance does not count. */
function relevanceSteps(w: number, sign: 1 | -1, parts: number): Step[] {
  if (w === 0) return [];
  const steps: Step[] = [
    { do: "text", rows: "text", take: "mean", to: "prompt" },
    { do: "score", by: "cosine", features: "hidden", vectors: "prompt", sign, to: "cosine" },
    { do: "normalise", by: "minMax", score: "cosine", parts, to: w === 1 ? "relevance" : "scaled" },
  ];
  if (w < 1) steps.push({ do: "normalise", by: "exp", score: "scaled", scale: w / (2 * (1 - w)), to: "relevance" });
  return steps;
}

function geometrySteps(): Step[] {
  return [
    { do: "features", by: "center", features: "hidden", to: "centered" },
    { do: "score", by: "distinctiveness", features: "hidden", to: "raw" },
    { do: "normalise", by: "minMax", score: "raw", to: "distinct" },
  ];
}
