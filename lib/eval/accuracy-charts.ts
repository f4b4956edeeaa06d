import { interval, percent } from "./report-markdown.js";
import type { CellResult } from "./summarise.js";
import { type ChartLine, type ChartPoint, svgChart } from "./svg-chart.js";

/** A picture of a report. */
export interface Chart {
  title: string;
  /** Its name as a file. */
  file: string;
  svg: string;
}

/** Accuracy over what it costs: rows, and milliseconds. */
export function accuracyCharts(cells: CellResult[]): Chart[] {
  const chart = (title: string, file: string, xLabel: string, xOf: (cell: CellResult) => number): Chart => ({
    title,
    file,
    svg: svgChart(linesOf(cells, xOf), xLabel, "accuracy in %"),
  });
  return [
    chart(
      "Accuracy by visual rows",
      "rows.svg",
      "visual rows in a decoder layer, mean over the layers, in %",
      ({ rows }) => (100 * rows.mean) / rows.prompt,
    ),
    chart(
      "Accuracy by time to the first token",
      "milliseconds.svg",
      "encode and prefill, median, in milliseconds",
      ({ milliseconds }) => milliseconds.firstToken.median,
    ),
  ];
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
