import { vqaNormalise } from "./vqa-normalise.js";

/**
 * The soft accuracy of VQA and TextVQA: an answer that at least three people gave is right, one that two or one gave
 * counts less. Averaged over the people left when each in turn is taken out, min(1, matches / 3), both sides
 * normalised as EvalAI does. (VQA v2, arXiv 1612.00837; `m4c_evaluator.py` of facebookresearch/mmf.)
 */
export function vqaAccuracy(reply: string, answers: readonly string[]): number {
  const said = vqaNormalise(reply);
  const isMatch = answers.map((answer) => vqaNormalise(answer) === said);
  const matches = isMatch.filter(Boolean).length;
  const scores = isMatch.map((isOwn) => Math.min(1, (matches - Number(isOwn)) / 3));
  return scores.reduce((sum, one) => sum + one, 0) / Math.max(1, scores.length);
}
