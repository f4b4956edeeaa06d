import type { Question } from "./question.js";
import { exactMatch, foldedMatch } from "./scoring/exact-match.js";
import { chosenOption } from "./scoring/option-letter.js";
import { vqaAccuracy } from "./scoring/vqa-accuracy.js";
import { startsWithYesOrNo, yesUnlessNo } from "./scoring/yes-no.js";

/**
 * How a reply becomes a score:
 * `exact` equals the answer; `folded` equals it but for case, white space and a full stop at the end (GQA);
 * `pope` a reply without "no" or "not" means yes; `mme` the reply's first characters say yes or no;
 * `vqa` the share of ten people who gave this answer, full from three on (TextVQA); `option` the letter of a choice.
 */
export type ScoringRule = "exact" | "folded" | "pope" | "mme" | "vqa" | "option";

const rules: Record<ScoringRule, (reply: string, question: Question) => boolean | number> = {
  exact: (reply, { answers }) => answers.some((answer) => exactMatch(reply, answer)),
  folded: (reply, { answers }) => answers.some((answer) => foldedMatch(reply, answer)),
  pope: (reply, { answers }) => answers.includes(yesUnlessNo(reply)),
  mme: (reply, { answers }) => answers.includes(startsWithYesOrNo(reply)),
  vqa: (reply, { answers }) => vqaAccuracy(reply, answers),
  option: (reply, { answers, options = {} }) => answers.includes(chosenOption(reply, options) ?? ""),
};

/** How right a reply is, from 0 to 1. */
export function score(reply: string, question: Question, rule: ScoringRule): number {
  return Number(rules[rule](reply, question));
}
