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

const wanted = options.kinds === undefined ? undefined : wantedIds(options.questions, options.kinds.split(","));

/** Ids of the questions of some kinds. */
function wantedIds(file, kinds) {
  const questions = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return new Set(questions.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id));
}

/** By name of the cell: by question, its score and text. */
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

/** Mean and half of the 95 % interval of numbers, in per cent. */
function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean: 100 * mean, half: 196 * Math.sqrt(variance / values.length) };
}

function difference(cell, base, of) {
  const { mean, half } = spread([...cell].map(([id, answer]) => of(answer) - of(base.get(id))));
  const text = `${mean >= 0 ? "+" : ""}${mean.toFixed(1)} ± ${half.toFixed(1)}`;
  return Math.abs(mean) > half ? `**${text}**` : text;
}

const isLoyal = (answer) => (answer.text === unpruned.get(answer.id).text ? 1 : 0);
const shares = [...cells.keys()]
  .filter((name) => name.startsWith(`${baseline} `))
  .map((name) => name.split(" ").slice(1).join(" "));
shares.sort((a, b) => Number.parseFloat(b) - Number.parseFloat(a));
const methods = [...new Set([...cells.keys()].map((name) => name.split(" ")[0]))].filter(
  (name) => name !== "unpruned" && name !== baseline,
);
for (const [title, of] of [
  ["Accuracy", (answer) => answer.score],
  ["Loyalty", isLoyal],
]) {
  console.log(`\n${title} minus that of ${baseline} at the same share, in points:\n`);
  console.log(`| method | ${shares.join(" | ")} |\n|---|${shares.map(() => "---|").join("")}`);
  for (const method of methods) {
    const row = shares.map((share) => {
      const cell = cells.get(`${method} ${share}`);
      return cell === undefined ? "" : difference(cell, cells.get(`${baseline} ${share}`), of);
    });
    if (row.some((text) => text !== "")) console.log(`| ${method} | ${row.join(" | ")} |`);
  }
}
