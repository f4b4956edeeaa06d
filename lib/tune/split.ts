import type { Question } from "../eval/question.js";
import { shuffled } from "./random.js";

/** Questions to search with, and others to try what was found on. */
export interface Split {
  search: Question[];
  heldOut: Question[];
}

/** Draws both; no picture is in both. */
export function split(questions: readonly Question[], samples: number, heldOut: number, random: () => number): Split {
  const order = shuffled(questions, random);
  const search = order.slice(0, samples);
  const seen = new Set(search.map(({ imageKey }) => imageKey));
  return { search, heldOut: order.filter(({ imageKey }) => !seen.has(imageKey)).slice(0, heldOut) };
}
