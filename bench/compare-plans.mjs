// Compares the plans of an evaluation pairwise: the same questions, so the difference of two plans is known better than
// either.
//
//   node bench/compare-plans.mjs <folder that fovea eval --out wrote> --baseline uniform
//     [--questions model/eval/questions.jsonl --kinds total,what]    only questions of these kinds
//
// Markdown: per method and share of rows, accuracy and loyalty minus those of the baseline at the same share, in points,
// with 95 % confidence intervals of the paired difference; bold where that does not hold 0.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mean, sum } from "../dist/eval/statistics.js";

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    baseline: { type: "string", default: "uniform" },
    questions: { type: "string" },
    kinds: { type: "string" },
  },
});
const [folder] = positionals;
const { baseline } = options;
if (folder === undefined) throw new Error("which folder did fovea eval --out write?");

const wanted = options.kinds === undefined ? undefined : wantedIds(options.questions ?? "", options.kinds.split(","));

/**
 * Ids of the questions of some kinds.
 *
 * @param {string} file
 * @param {string[]} kinds
 */
function wantedIds(file, kinds) {
  const questions = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return new Set(questions.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id));
}

/** @typedef {import("../dist/eval/answer.js").Answer} Answer */

/**
 * By name of the cell, by question.
 *
 * @type {Map<string, Map<string, Answer>>}
 */
const cells = new Map();
for (const file of readdirSync(join(folder, "answers"))) {
  const [header, ...answers] = readFileSync(join(folder, "answers", file), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  cells.set(
    header.cell,
    new Map(answers.filter(({ id }) => wanted?.has(id) ?? true).map((answer) => [answer.id, answer])),
  );
}
const unpruned = cells.get("unpruned");

/**
 * Mean and half of the 95 % interval of numbers, in per cent.
 *
 * @param {number[]} values
 */
function spread(values) {
  const middle = mean(values);
  const variance = sum(values.map((value) => (value - middle) ** 2)) / (values.length - 1);
  return { middle: 100 * middle, half: 196 * Math.sqrt(variance / values.length) };
}

/**
 * @param {Map<string, Answer>} cell
 * @param {Map<string, Answer>} base
 * @param {(answer: Answer) => number} of
 */
function difference(cell, base, of) {
  const { middle, half } = spread(
    [...cell].map(([id, answer]) => of(answer) - of(/** @type {Answer} */ (base.get(id)))),
  );
  const text = `${middle >= 0 ? "+" : ""}${middle.toFixed(1)} ± ${half.toFixed(1)}`;
  return Math.abs(middle) > half ? `**${text}**` : text;
}

/** @param {Answer} answer */
const isLoyal = (answer) => (answer.text === unpruned?.get(answer.id)?.text ? 1 : 0);
const shares = [...cells.keys()]
  .filter((name) => name.startsWith(`${baseline} `))
  .map((name) => name.split(" ").slice(1).join(" "));
shares.sort((a, b) => Number.parseFloat(b) - Number.parseFloat(a));
const methods = [...new Set([...cells.keys()].map((name) => name.split(" ")[0]))].filter(
  (name) => name !== "unpruned" && name !== baseline,
);
/** @type {[string, (answer: Answer) => number][]} */
const figures = [
  ["Accuracy", ({ score }) => score],
  ["Loyalty", isLoyal],
];
for (const [title, of] of figures) {
  console.log(`\n${title} minus that of ${baseline} at the same share, in points:\n`);
  console.log(`| method | ${shares.join(" | ")} |\n|---|${shares.map(() => "---|").join("")}`);
  for (const method of methods) {
    const row = shares.map((share) => {
      const [cell, base] = [cells.get(`${method} ${share}`), cells.get(`${baseline} ${share}`)];
      return cell === undefined || base === undefined ? "" : difference(cell, base, of);
    });
    if (row.some((text) => text !== "")) console.log(`| ${method} | ${row.join(" | ")} |`);
  }
}
