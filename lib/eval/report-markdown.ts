import { basename } from "node:path";
import type { Evaluation } from "./evaluate.js";
import type { Proportion } from "./statistics.js";
import type { CellResult } from "./summarise.js";

/** The tables of an evaluation as Markdown. */
export function reportMarkdown(evaluation: Evaluation): string {
  return [
    "# What dropping rows costs",
    settingsText(evaluation),
    mainTable(evaluation.cells),
    "Accuracy and loyalty in % with Wilson's interval at 95 %. Loyal: the same reply as without pruning. Visual rows: in " +
      "a decoder layer, mean over the layers. Milliseconds: medians; to the first token means encode and prefill.",
    ...kindSection(evaluation.cells),
    "## Work and time",
    workTable(evaluation.cells),
    "Per prompt, in three conventions that must not be mixed; n rows in a layer as run, H the width, m the FFN's. Visual " +
      "MACs: 4nH² + 2n²H + 3nHm over visual rows (PyramidDrop, FastV). Text and visual MACs: 4nH² + 2n²H + 2nHm " +
      "(DivPrune). FLOPs: 2 (4nH² + 2n²H + 3nHm) over all rows (p-MoD). The tower is in none. Seconds: sums over all " +
      "questions.",
    ...skippedSection(evaluation),
  ].join("\n\n");
}

/** What was asked of whom, in one paragraph. */
export function settingsText({ model, questions, settings }: Evaluation): string {
  const { concurrency, maxTokens, timed } = settings;
  const suffix = questions.suffix === "" ? "" : ` Every question ends with "${questions.suffix}"`;
  return (
    `${questions.count} questions of ${questions.path} (${questions.format}, scored by the rule "${questions.rule}"), ` +
    `answered greedily by ${basename(model.path)} (${model.family}, ${(model.parameters / 1e6).toFixed(1)} M parameters, ` +
    `${model.dtype}, ${model.tier}, ${model.threads} threads), ${concurrency} at a time, at most ${maxTokens} tokens ` +
    `each. Milliseconds: ${timed} of the questions, asked again one at a time with nothing cached, under every plan in ` +
    `turn.${suffix}`
  );
}

function mainTable(cells: CellResult[]): string {
  const hasGroups = cells.some(({ groups }) => groups !== undefined);
  const hasF1 = cells.some(({ f1 }) => f1 !== undefined);
  const head = ["plan", "visual rows", "accuracy", "95 %", "loyal", "95 %"];
  const times = ["encode", "prefill", "choosing", "decode", "to first token"];
  return table(
    [...head, ...(hasGroups ? ["groups right"] : []), ...(hasF1 ? ["F1"] : []), ...times],
    cells.map(({ name, rows, accuracy, loyalty, groups, f1, milliseconds: ms }) => [
      name,
      `${rows.mean.toFixed(1)} (${percent(rows.mean / rows.prompt)} %)`,
      percent(accuracy.value),
      interval(accuracy),
      percent(loyalty.value),
      interval(loyalty),
      ...(hasGroups ? [groups === undefined ? "" : percent(groups.accuracy.value)] : []),
      ...(hasF1 ? [f1 === undefined ? "" : percent(f1)] : []),
      ...[ms.encode, ms.prefill, ms.select, ms.decode, ms.firstToken].map((phase) => phase.median.toFixed(1)),
    ]),
  );
}

function kindSection(cells: CellResult[]): string[] {
  const kinds = Object.entries(cells[0]?.kinds ?? {});
  if (kinds.length < 2) return [];
  const rows = cells.map(({ name, kinds: some }) => [
    name,
    ...kinds.map(([kind]) => percent(some[kind]?.accuracy.value ?? 0)),
  ]);
  const counts = ["questions", ...kinds.map(([, { questions }]) => String(questions))];
  return ["## Accuracy by kind of question, in %", table(["plan", ...kinds.map(([kind]) => kind)], [counts, ...rows])];
}

function workTable(cells: CellResult[]): string {
  const whole = cells[0]?.flops;
  const work = (value: number, of = value) =>
    `${(value / 1e9).toPrecision(4)} G (${percent(of === 0 ? 1 : value / of)} %)`;
  return table(
    [
      "plan",
      "visual MACs",
      "text and visual MACs",
      "FLOPs",
      "encode s",
      "prefill s",
      "choosing s",
      "decode s",
      "tokens",
    ],
    cells.map(({ name, flops, milliseconds: ms, generatedTokens }) => [
      name,
      work(flops.imageMacs, whole?.imageMacs),
      work(flops.textImageMacs, whole?.textImageMacs),
      work(flops.flops, whole?.flops),
      ...[ms.encode, ms.prefill, ms.select, ms.decode].map((phase) => (phase.sum / 1000).toFixed(2)),
      String(generatedTokens),
    ]),
  );
}

function skippedSection({ skipped }: Evaluation): string[] {
  if (skipped.length === 0) return [];
  return ["## Not measured", skipped.map(({ name, reason }) => `- ${name}: ${reason}`).join("\n")];
}

function table(head: string[], rows: string[][]): string {
  const line = (fields: string[]) => `| ${fields.map((field) => field.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** A share in %, with one decimal. */
export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** The ends of an interval in %. */
export function interval({ low, high }: Proportion): string {
  return `${percent(low)} to ${percent(high)}`;
}
