import { describe, expect, it } from "vitest";
import { type ScoringRule, score } from "../../lib/eval/score.js";
import { vqaNormalise } from "../../lib/eval/scoring/vqa-normalise.js";

const options = { A: "a red hat", B: "two dogs", C: "snow" };

function scored(rule: ScoringRule, reply: string, ...answers: string[]): number {
  return score(reply, { id: "1", kind: "x", image: "a.png", imageKey: "a", text: "?", answers, options }, rule);
}

describe("rules", () => {
  it.each<[ScoringRule, string, string[], number]>([
    ["exact", " bottom left\n", ["bottom left"], 1],
    ["exact", "Bottom left", ["bottom left"], 0],
    ["exact", "2", ["two", "2"], 1],
    ["folded", "Bottom left.", ["bottom left"], 1],
    ["folded", "bottom", ["bottom left"], 0],
    ["pope", "Yes, there is.", ["yes"], 1],
    ["pope", "No, there is none", ["no"], 1],
    ["pope", "There is not. Yes", ["no"], 1],
    ["pope", "There is. But not a dog", ["yes"], 1],
    ["pope", "NO", ["yes"], 1], // the published rule knows "No" and "no" only
    ["pope", "Nobody is there", ["yes"], 1],
    ["mme", "Yes", ["yes"], 1],
    ["mme", "no.", ["no"], 1],
    ["mme", "It is, yes", ["yes"], 0],
    ["mme", "It is, yes", ["no"], 0],
    ["option", "B", ["B"], 1],
    ["option", "(B) two dogs", ["B"], 1],
    ["option", "The answer is C.", ["C"], 1],
    ["option", "A or B", ["A"], 0],
    ["option", "I see two dogs", ["B"], 1],
    ["option", "two dogs in snow", ["B"], 0],
    ["option", "a cat", ["A"], 0],
    ["option", "B is what I would say if I were asked today", ["B"], 0],
    ["option", `two dogs ${"and more ".repeat(9)}`, ["B"], 0],
  ])("%s: %j against %j is %d", (rule, reply, answers, expected) => {
    expect(scored(rule, reply, ...answers)).toBe(expected);
  });
});

describe("VQA's soft accuracy", () => {
  const ten = (n: number) => Array.from({ length: 10 }, (_, i) => (i < n ? "nokia" : `other ${i}`));
  // Each person in turn is left out of the ten: with n matches, n of the ten sums see n - 1 of them.
  it.each([
    [0, 0],
    [1, 0.3],
    [2, 0.6],
    [3, 0.9],
    [4, 1],
    [10, 1],
  ])("%d of ten people: %d", (n, expected) => {
    expect(scored("vqa", "Nokia", ...ten(n))).toBeCloseTo(expected, 10);
  });

  it.each([
    ["The Nokia.", "nokia"],
    ["a dog, an apple", "dog apple"],
    ["two", "2"],
    ["None", "0"],
    ["1,000", "1000"],
    ["3.5", "3.5"],
    ["U.S.A.", "usa"],
    ["dont", "don't"],
    ["couldnt've", "couldn't've"],
    ["red/blue", "red blue"],
    ["red / blue", "red blue"],
    ["what?\n", "what"],
    ["its", "its"],
    ["10:15", "10:15"],
  ])("%j becomes %j", (answer, expected) => {
    expect(vqaNormalise(answer)).toBe(expected);
  });
});
