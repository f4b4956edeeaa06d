import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { accuracyCharts } from "./accuracy-charts.js";
import type { Evaluation } from "./evaluate.js";
import { reportHtml } from "./report-html.js";
import { reportMarkdown } from "./report-markdown.js";

/**
 * Writes `results.json`, `report.md` with its curves `rows.svg` and `milliseconds.svg`, and `report.html` into a folder,
 * which is made if it is not there.
 */
export async function writeReports(evaluation: Evaluation, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "results.json"), `${JSON.stringify(evaluation, null, 1)}\n`);
  const charts = accuracyCharts(evaluation.cells);
  for (const { file, svg } of charts) await writeFile(join(folder, file), `${svg}\n`);
  const pictures = charts.map(({ title, file }) => `![${title}](${file})`);
  await writeFile(join(folder, "report.md"), `${[reportMarkdown(evaluation), ...pictures].join("\n\n")}\n`);
  await writeFile(join(folder, "report.html"), reportHtml(evaluation));
}
