import { escapeMarkup } from "./escape-markup.js";
import type { Evaluation } from "./evaluate.js";
import { interval, percent, settingsText } from "./report-markdown.js";
import type { CellResult } from "./summarise.js";
import { type ChartLine, type ChartPoint, svgChart } from "./svg-chart.js";

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
svg { width: 100%; height: auto; } svg text { font-size: 13px; fill: #333; stroke: none; }
.mid { text-anchor: middle; } .end { text-anchor: end; } .grid { stroke: #ddd; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .25rem .6rem; border-bottom: 1px solid #ddd; }
td, th { text-align: right; } td:first-child, th:first-child { text-align: left; }`;

/** An evaluation as one HTML page that needs nothing else: curves, and what their points stand for. */
export function reportHtml(evaluation: Evaluation): string {
  const { cells, skipped } = evaluation;
  const skippedList = skipped.map(({ name, reason }) => `<li>${escapeMarkup(`${name}: ${reason}`)}</li>`);
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>What dropping rows costs</title>',
    `<style>${style}</style></head><body><h1>What dropping rows costs</h1>`,
    `<p>${escapeMarkup(settingsText(evaluation))}</p>`,
    "<p>Bars are Wilson's intervals at 95 %. Point at a mark to read it.</p>",
    "<h2>Accuracy by visual rows</h2>",
    svgChart(
      linesOf(cells, ({ rows }) => (100 * rows.mean) / rows.prompt),
      "visual rows in a decoder layer, mean over the layers, in %",
      "accuracy in %",
    ),
    "<h2>Accuracy by time to the first token</h2>",
    svgChart(
      linesOf(cells, ({ milliseconds }) => milliseconds.firstToken.median),
      "encode and prefill, median, in milliseconds",
      "accuracy in %",
    ),
    "<h2>Figures</h2>",
    figures(cells),
    ...(skippedList.length === 0 ? [] : [`<h2>Not measured</h2><ul>${skippedList.join("")}</ul>`]),
    "</body></html>\n",
  ].join("\n");
}

/** A line per method, each from the unpruned point down to its smallest budget; single plans are single points. */
function linesOf(cells: CellResult[], xOf: (cell: CellResult) => number): ChartLine[] {
  const [reference, ...others] = cells;
  const lines = new Map<string, CellResult[]>();
  for (const cell of others) lines.set(cell.line, [...(lines.get(cell.line) ?? []), cell]);
  const toPoint = (cell: CellResult): ChartPoint => ({
    x: xOf(cell),
    y: 100 * cell.accuracy.value,
    low: 100 * cell.accuracy.low,
    high: 100 * cell.accuracy.high,
    title: describe(cell),
  });
  const start = reference === undefined ? [] : [reference];
  return [start, ...[...lines.values()].map((line) => (line.length > 1 ? [...start, ...line] : line))]
    .filter((line) => line.length > 0)
    .map((line) => ({ name: (line.at(-1) as CellResult).line, points: line.map(toPoint) }));
}

function describe({ name, accuracy, loyalty, rows, milliseconds }: CellResult): string {
  return (
    `${name}: accuracy ${percent(accuracy.value)} % (${interval(accuracy)}), loyal ${percent(loyalty.value)} %, ` +
    `${rows.mean.toFixed(1)} rows, ${milliseconds.firstToken.median.toFixed(1)} ms to the first token`
  );
}

function figures(cells: CellResult[]): string {
  const head = ["plan", "visual rows", "accuracy", "95 %", "loyal", "encode ms", "prefill ms", "decode ms"];
  const rows = cells.map(({ name, rows, accuracy, loyalty, milliseconds: ms }) => [
    name,
    rows.mean.toFixed(1),
    percent(accuracy.value),
    interval(accuracy),
    percent(loyalty.value),
    ...[ms.encode, ms.prefill, ms.decode].map((phase) => phase.median.toFixed(1)),
  ]);
  const line = (tag: string, fields: string[]) =>
    `<tr>${fields.map((field) => `<${tag}>${escapeMarkup(field)}</${tag}>`).join("")}</tr>`;
  return `<table>${[line("th", head), ...rows.map((row) => line("td", row))].join("\n")}</table>`;
}
