import { accuracyCharts } from "./accuracy-charts.js";
import { escapeMarkup } from "./escape-markup.js";
import type { Evaluation } from "./evaluate.js";
import { interval, percent, settingsText } from "./report-markdown.js";
import type { CellResult } from "./summarise.js";

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
svg { width: 100%; height: auto; }
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
    ...accuracyCharts(cells).map(({ title, svg }) => `<h2>${escapeMarkup(title)}</h2>\n${svg}`),
    "<h2>Figures</h2>",
    figures(cells),
    ...(skippedList.length === 0 ? [] : [`<h2>Not measured</h2><ul>${skippedList.join("")}</ul>`]),
    "</body></html>\n",
  ].join("\n");
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
