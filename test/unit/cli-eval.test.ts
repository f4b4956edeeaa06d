import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { progressText } from "../../lib/cli/progress-line.js";
import { fakeReply, runFake } from "./cli-fake-engine.js";

let folder: string;
let questions: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fovea-cli-eval-"));
  questions = join(folder, "q.jsonl");
  writeFileSync(join(folder, "a.png"), "");
  const line = (n: number) => `${JSON.stringify({ image: "a.png", question: `${n}?`, answer: "a green turtle" })}\n`;
  writeFileSync(questions, line(1) + line(2) + line(3));
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => runFake(["eval", questions, ...args]);

describe("fovea eval", () => {
  it("prints the report, asks the unpruned model first, frees it", async () => {
    const ran = await run("--method", "uniform", "--keep", "0.5", "--limit", "2", "--max-tokens", "7", "--timed", "1");
    expect(ran).toMatchObject({ code: 0, err: "", disposed: 1, loads: [["fovea-mini", { dtype: "auto" }]] });
    expect(ran.out).toContain("2 questions of");
    expect(ran.out).toMatch(/\| unpruned \|.*\n\| uniform 50 % \|/);
    expect(ran.requests.map(({ plan }) => plan)).toEqual([
      {},
      {},
      ...Array(2).fill({ stages: [{ method: "uniform", keep: 0.5 }] }),
      {}, // to measure
      { stages: [{ method: "uniform", keep: 0.5 }] },
    ]);
    expect(ran.requests[0]).toMatchObject({ maxTokens: 7, images: [join(folder, "a.png")] });
  });

  it("--json prints results.json", async () => {
    const ran = await run("--json", "--model", "some/folder", "--dtype", "f32", "--threads", "3", "--suffix", "Now.");
    expect(ran.loads).toEqual([["some/folder", { dtype: "f32", threads: 3 }]]);
    expect(JSON.parse(ran.out)).toMatchObject({
      questions: { count: 3, suffix: "Now." },
      cells: [{ name: "unpruned", accuracy: { value: 1 } }],
    });
  });

  it("plans of one's own: --prune and --plan, several times", async () => {
    const file = join(folder, "mine.json");
    writeFileSync(file, JSON.stringify({ skipLayers: [{ part: "ffn", layers: [6] }] }));
    const specs = ["--prune", "divPrune:keep=0.5,pyramidDrop", "--prune", "uniform:count=9", "--plan", file];
    const { out } = await run("--json", ...specs);
    expect(JSON.parse(out).cells.map(({ name }: { name: string }) => name)).toEqual([
      "unpruned",
      "divPrune:keep=0.5,pyramidDrop",
      "uniform:count=9",
      "mine",
    ]);
  });

  it('"all" runs every method, and says what cannot be', async () => {
    const { out, err } = await run("--json", "--method", "all", "--keep", "0.1");
    const names = JSON.parse(out).cells.map(({ line }: { line: string }) => line);
    expect(names).toEqual(expect.arrayContaining(["divPrune", "random", "uniform"]));
    expect(err).toMatch(/^skipped pyramidDrop 10 %: .*0\.125/m);
  });

  it("--out writes reports and answers; --resume asks nothing again", async () => {
    const out = join(folder, "run");
    expect((await run("--out", out)).requests).toHaveLength(3 + 3);
    expect(readFileSync(join(out, "answers", "unpruned.jsonl"), "utf8").split("\n")).toHaveLength(5);
    for (const name of ["results.json", "report.md", "report.html"]) expect(existsSync(join(out, name))).toBe(true);
    const again = await run("--out", out, "--resume");
    expect(again).toMatchObject({ code: 0, requests: [] });
    expect((await run("--out", out)).err).toContain("Resume it");
  });

  it.each(["throw", "end"] as const)(
    "Ctrl-C, the stream will %s: exits with 130, keeps answers only",
    async (interrupt) => {
      const out = join(folder, "run");
      const reply = { ...fakeReply, text: "a green" };
      const ran = await runFake(["eval", questions, "--out", out], { interrupt, reply });
      expect(ran).toMatchObject({ code: 130, out: "", disposed: 1, err: `Stopped; --resume goes on from ${out}.\n` });
      expect(readFileSync(join(out, "answers", "unpruned.jsonl"), "utf8")).not.toContain("a green");
      expect(existsSync(join(out, "report.md"))).toBe(false);
    },
  );

  it.each([
    [["--method", "divPrun"], 'Did you mean "divPrune"'],
    [["--keep", "0.5,2"], "Expected shares above 0"],
    [["--keep", "half"], "Expected a number"],
    [["--prune", "divPrune:kep=1"], 'Did you mean "keep"'],
    [["--format", "coco"], "Allowed choices are"],
  ])("%j is a mistake in the command line", async (args, message) => {
    const ran = await run(...args);
    expect(ran).toMatchObject({ code: 2, loads: [] });
    expect(ran.err).toContain(message);
  });

  it("a file of questions that is none, before a model is loaded", async () => {
    writeFileSync(questions, "hello");
    const ran = await run();
    expect(ran).toMatchObject({ code: 1, loads: [] });
    expect(ran.err).toContain("expected one of the formats");
  });

  it("help lists the formats and methods", async () => {
    const { out } = await runFake(["eval", "--help"]);
    for (const name of ["textvqa", "easy-vqa", "pyramidDrop"]) expect(out).toContain(name);
  });
});

describe("progress", () => {
  const progress = { cell: "uniform 50 %", cellsDone: 2, cells: 5, resumed: 10, asked: 20, total: 100 };

  it("says how far it is, how fast, and how long it takes", () => {
    expect(progressText(progress, 10)).toBe(
      "██████░░░░░░░░░░░░░░ cell 3 of 5, uniform 50 %: 30 of 100, 2.0 questions/s, 35 s left",
    );
    expect(progressText({ ...progress, total: 10_000 }, 10)).toMatch(/83 min left$/);
    expect(progressText({ ...progress, total: 100_000 }, 10)).toMatch(/13\.9 h left$/);
    expect(progressText({ ...progress, asked: 0 }, 0)).toMatch(/: 10 of 100$/);
  });

  it("is drawn on a terminal only, and wiped", async () => {
    const ran = await runFake(["eval", questions], { isTTY: true });
    expect(ran.err.startsWith(`\r${"░".repeat(20)} cell 1 of 1, unpruned: 0 of 6\x1b[K`)).toBe(true);
    expect(ran.err.endsWith("\r\x1b[K")).toBe(true);
    expect((await run()).err).toBe("");
  });
});
