import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Cell,
  type Evaluation,
  evaluate,
  reportHtml,
  reportMarkdown,
  writeReports,
} from "../../lib/eval/index.js";
import { median, proportion } from "../../lib/eval/statistics.js";
import { svgChart } from "../../lib/eval/svg-chart.js";
import { FakeModel, questionSet } from "./eval-fake-model.js";

const cell = (line: string, share?: number): Cell => ({
  name: share === undefined ? line : `${line} ${100 * share} %`,
  line,
  ...(share !== undefined && { share }),
  plan: { stages: [{ method: "uniform", keep: share ?? 0.3 }] },
});

let evaluation: Evaluation;
beforeAll(async () => {
  evaluation = await evaluate({
    model: new FakeModel((text, isPruned) => (isPruned ? "no" : `answer ${/\d+/.exec(text)}`)),
    questions: questionSet(4, { suffix: "Use <one> word." }),
    cells: [cell("uniform", 0.5), cell("uniform", 0.25), cell("<mine> & yours")],
    skipped: [{ name: "pyramidDrop 6 %", reason: "expected a share > 0.125" }],
  });
});

describe("statistics", () => {
  it("Wilson's interval: 5 of 10, 0 of 10, none", () => {
    expect(proportion([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])).toEqual({
      value: 0.5,
      low: expect.closeTo(0.23659, 4),
      high: expect.closeTo(0.76341, 4),
    });
    expect(proportion(Array(10).fill(0))).toEqual({ value: 0, low: 0, high: expect.closeTo(0.27754, 4) });
    expect(proportion([])).toEqual({ value: 0, low: 0, high: 1 });
  });

  it("median of odd, even and no numbers, whatever their order", () => {
    expect([median([3, 10, 2]), median([4, 1, 3, 2]), median([])]).toEqual([3, 2.5, 0]);
  });
});

describe("Markdown", () => {
  it("has every cell in every table, and what was not measured", () => {
    const text = reportMarkdown(evaluation);
    const row = /^\| uniform 25 % \|.*/gm;
    expect(text.match(row)?.map((line) => line.split(" | ").length)).toEqual([11, 3, 9]);
    expect(text).toContain(
      "| unpruned | 256.0 (100.0 %) | 100.0 | 51.0 to 100.0 | 100.0 | 51.0 to 100.0 | 80.0 | 40.0 | 0.0 | 6.0 | 120.0 |",
    );
    expect(text).toContain("| uniform 50 % | 64.0 (25.0 %) | 0.0 | 0.0 to 49.0 | 0.0 |");
    expect(text).toContain("| questions | 2 | 2 |");
    expect(text).toContain("- pyramidDrop 6 %: expected a share > 0.125");
    expect(text).toContain('ends with "Use <one> word."');
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("a bar in a name does not part the table", () => {
    const [first] = evaluation.cells;
    const text = reportMarkdown({
      ...evaluation,
      cells: [{ ...(first as (typeof evaluation.cells)[0]), name: "a|b" }],
    });
    expect(text).toContain("| a\\|b | 256.0");
  });
});

describe("HTML", () => {
  it("is one page that loads nothing, with two charts and a title per point", () => {
    const html = reportHtml(evaluation);
    expect(html).not.toMatch(/<script|<link|<img|(src|href)=/);
    expect(html.match(/<svg /g)).toHaveLength(2);
    // per chart: unpruned alone, and as the start of the line of two budgets; those two; the plan of its own
    expect(html.match(/<circle /g)).toHaveLength(2 * (1 + 3 + 1));
    expect(html).toContain(
      "<title>uniform 25 %: accuracy 0.0 % (0.0 to 49.0), loyal 0.0 %, 64.0 rows, 90.0 ms to the first token</title>",
    );
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("shows names as text, never as markup", () => {
    const html = reportHtml(evaluation);
    expect(html).toContain("&lt;mine&gt; &amp; yours");
    expect(html).not.toContain("<mine>");
    expect(html).not.toContain("<one>");
  });
});

describe("the chart", () => {
  const point = (x: number, y: number) => ({ x, y, low: y - 10, high: y + 10, title: `${x}` });

  it("puts points where they belong", () => {
    const svg = svgChart([{ name: "a", points: [point(0, 10), point(50, 50), point(100, 90)] }], "x", "y");
    // x from 0 to 100 over 620 px from 64; y from 0 to 100 over 380 px upwards from 396
    expect([...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)])).toEqual([
      [64, 358],
      [374, 206],
      [684, 54],
    ]);
    expect(svg).toContain('d="M64 358L374 206L684 54"');
  });

  it("twelve lines can be told apart, and long names are cut but readable", () => {
    const lines = Array.from({ length: 12 }, (_, i) => ({
      name: `method ${i} ${"x".repeat(40)}`,
      points: [point(i, i)],
    }));
    const svg = svgChart(lines, "x", "y");
    const styles = [...svg.matchAll(/<g stroke="(#\w+)".*?stroke-dasharray="([^"]+)"/g)].map(([, ...style]) =>
      style.join(),
    );
    expect(new Set(styles).size).toBe(12);
    expect(svg).toContain(`<title>${lines[0]?.name}</title>method 0 xxxxxxxxxxxxxxxxxx…`);
  });

  it("one point, at zero, is a chart too", () => {
    const svg = svgChart([{ name: "a", points: [{ x: 0, y: 0, low: 0, high: 0, title: "" }] }], "x", "y");
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

it("writeReports writes every file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fovea-report-"));
  try {
    await writeReports(evaluation, join(folder, "new"));
    const read = (name: string) => readFileSync(join(folder, "new", name), "utf8");
    expect(JSON.parse(read("results.json"))).toEqual(evaluation);
    expect(read("report.md")).toContain("![Accuracy by visual rows](rows.svg)");
    for (const name of ["rows.svg", "milliseconds.svg"]) expect(read(name)).toMatch(/^<svg xmlns="http.*<\/svg>\n$/s);
    expect(read("report.html")).toBe(reportHtml(evaluation));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
