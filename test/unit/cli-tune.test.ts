import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runFake } from "./cli-fake-engine.js";

let folder: string;
let questions: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fovea-cli-tune-"));
  questions = join(folder, "questions.jsonl");
  const lines = [1, 2, 3, 4].map((n) => {
    writeFileSync(join(folder, `${n}.png`), String(n));
    return `${JSON.stringify({ image: `${n}.png`, question: `${n}?`, answer: "yes" })}\n`;
  });
  writeFileSync(questions, lines.join(""));
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) =>
  runFake(["tune", questions, "--samples", "2", "--held-out", "1", "--evaluations", "3", ...args]);

describe("fovea tune", () => {
  it("prints a plan with its notes, and says what it is worth", async () => {
    const { code, out, err, disposed, loads, forwards } = await run("--budget", "flops=0.9", "--threads", "2");
    expect({ code, disposed, loads }).toEqual({
      code: 0,
      disposed: 1,
      loads: [["fovea-mini", { dtype: "auto", threads: 2 }]],
    });
    const plan = JSON.parse(out);
    expect(plan.stages[0]).toMatchObject({ method: "divPrune" });
    expect(plan.notes).toMatchObject({ budget: { flops: 0.9 }, heldOut: { questions: 1, loyalty: { value: 1 } } });
    expect(forwards.slice(0, 2)).toEqual([{}, {}]);
    expect(err).toMatch(/likeness .*an even division/);
    expect(err).toMatch(/1 other questions: same answer 100\.0 %/);
  });

  it("--out writes a file that --plan takes", async () => {
    const file = join(folder, "plan.json");
    const tuned = await run("--budget", "ms=25", "--prune", "uniform", "--out", file);
    expect(tuned).toMatchObject({ code: 0, out: "" });
    const { code, requests } = await runFake(["ask", join(folder, "1.png"), "What?", "--plan", file]);
    expect(code).toBe(0);
    expect(requests[0]?.plan).toEqual(JSON.parse(readFileSync(file, "utf8")));
  });

  it("says how to go on after Ctrl-C", async () => {
    const log = join(folder, "log.jsonl");
    const args = ["tune", questions, "--samples", "1", "--evaluations", "1", "--budget", "flops=0.9", "--log", log];
    const { code, err } = await runFake(args, { interrupt: "throw" });
    expect(code).toBe(130);
    expect(err).toContain(`the same command goes on from ${log}`);
  });

  it.each([
    [[], "required option '--budget"],
    [["--budget", "cost=3"], 'got "cost", expected one of: rows, ratio, flops, kvBytes, ms'],
    [["--budget", "ratio=0.5", "--prune", "divPrun"], 'Did you mean "divPrune"'],
  ])("refuses %j", async (args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe("fovea ask", () => {
  it("--budget and --plan with a preset's name", async () => {
    const ask = (...args: string[]) => runFake(["ask", join(folder, "1.png"), "What?", ...args]);
    const budget = await ask("--prune", "divPrune", "--budget", "ms=40");
    expect(budget.requests[0]?.plan).toEqual({ stages: [{ method: "divPrune" }], budget: { ms: 40 } });
    const preset = await ask("--plan", "careful");
    expect(preset.requests[0]?.plan).toEqual({ stages: [{ method: "pyramidDrop", keep: [0.5] }] });
    expect((await ask("--plan", "careful", "--budget", "ms=40")).code).toBe(2);
  });
});
