// @ts-check
// What dropping visual rows costs the embedded model: exact-match accuracy on model/eval for each method and share of
// rows. Prints the Markdown table of model/README.md and writes bench/results/accuracy.json.
//
//   npm run bench:accuracy                  all questions (about half an hour on two cores)
//   npm run bench:accuracy -- --limit 100   fewer
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadModel } from "../dist/index.js";

/** @typedef {{ id: string, image: string, kind: string, question: string, answer: string }} Question */
/** @typedef {{ method: string, share: string, plan: import("../lib/prune/plan.js").Plan }} Setting */

const evalFolder = fileURLToPath(new URL("../model/eval/", import.meta.url));
const results = new URL("./results/", import.meta.url);
const { values: options } = parseArgs({ options: { limit: { type: "string" }, model: { type: "string" } } });

/** Three drops by the same factor: what `pyramidDrop` keeps when it enters its three layers. @param {number} lambda */
const powers = (lambda) => [lambda, lambda ** 2, lambda ** 3];

/**
 * PyramidDrop drops inside the decoder, so "half of the rows" can mean two things: rows left at the end, or the mean
 * over the layers, which is what the papers' budgets mean. Both are measured. Factors of the second solve
 * mean(rows per layer) = share for 8 layers; 12.5 % is what layer 0 alone costs, so no factor reaches it.
 */
/** @type {Setting[]} */
const settings = [
  { method: "none", share: "100 %", plan: {} },
  ...[0.5, 0.25, 0.125].flatMap((share) =>
    ["divPrune", "uniform", "random"].map((method) => ({
      method,
      share: `${100 * share} %`,
      plan: { stages: [{ method, keep: share }] },
    })),
  ),
  ...[0.5, 0.25, 0.125].map((share) => ({
    method: "pyramidDrop, left at the end",
    share: `${100 * share} %`,
    plan: { stages: [{ method: "pyramidDrop", layers: [2, 4, 6], keep: powers(share ** (1 / 3)) }] },
  })),
  ...[
    { share: 0.5, layers: [2, 4, 6], lambda: 0.54369 },
    { share: 0.25, layers: [1, 2, 4], lambda: 0.40527 },
  ].map(({ share, layers, lambda }) => ({
    method: "pyramidDrop, mean over layers",
    share: `${100 * share} %`,
    plan: { stages: [{ method: "pyramidDrop", layers, keep: powers(lambda) }] },
  })),
];

/** 95 % interval of a share of right answers. @param {number} right @param {number} total */
function wilson(right, total) {
  const z2 = 1.96 ** 2;
  const middle = right / total + z2 / (2 * total);
  const half = 1.96 * Math.sqrt(((right / total) * (1 - right / total)) / total + z2 / (4 * total * total));
  return { low: (middle - half) / (1 + z2 / total), high: (middle + half) / (1 + z2 / total) };
}

/** Answers to every question under one plan. @param {import("../dist/index.js").Model} model @param {Question[]} questions @param {Setting["plan"]} plan */
async function ask(model, questions, plan) {
  /** @type {string[]} */
  const answers = [];
  let next = 0;
  const reader = async () => {
    for (let i = next++; i < questions.length; i = next++) {
      const { question, image } = /** @type {Question} */ (questions[i]);
      const messages = [{ role: /** @type {const} */ ("user"), content: question }];
      const reply = await model.generate({ messages, images: [evalFolder + image], plan, maxTokens: 64 });
      answers[i] = reply.text.trim();
      if (process.stderr.isTTY && i % 20 === 0) process.stderr.write(`\r${i}/${questions.length} `);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, reader));
  return answers;
}

/** @type {Question[]} */
const questions = readFileSync(`${evalFolder}questions.jsonl`, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line))
  .slice(0, options.limit === undefined ? undefined : Number(options.limit));
const model = await loadModel(options.model ?? "fovea-mini");
const kinds = [...new Set(questions.map(({ kind }) => kind))].sort();
/** @type {string[] | undefined} */
let unpruned;
const rows = [];
console.log(`| method | visual rows | right | 95 % interval | same as unpruned | ${kinds.join(" | ")} |`);
console.log(`|${"---|".repeat(5 + kinds.length)}`);
for (const { method, share, plan } of settings) {
  const answers = await ask(model, questions, plan);
  unpruned ??= answers;
  const isRight = questions.map(({ answer }, i) => answers[i] === answer);
  const right = isRight.filter(Boolean).length;
  const same = answers.filter((answer, i) => answer === unpruned?.[i]).length / answers.length;
  const byKind = kinds.map((kind) => {
    const ofKind = isRight.filter((_, i) => questions[i]?.kind === kind);
    return ofKind.filter(Boolean).length / ofKind.length;
  });
  const accuracy = right / questions.length;
  const { low, high } = wilson(right, questions.length);
  const percent = (/** @type {number} */ value) => (100 * value).toFixed(1);
  const cells = [method, share, percent(accuracy), `${percent(low)} to ${percent(high)}`, percent(same)];
  console.log(`| ${[...cells, ...byKind.map(percent)].join(" | ")} |`);
  rows.push({ method, share, plan, questions: questions.length, accuracy, low, high, same, kinds, byKind });
}
await model.dispose();
mkdirSync(results, { recursive: true });
writeFileSync(new URL("accuracy.json", results), `${JSON.stringify(rows, null, 1)}\n`);
