import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fakeReply, runFake } from "./cli-fake-engine.js";

const folder = mkdtempSync(join(tmpdir(), "fovea-calibrate-"));
const questions = join(folder, "q.jsonl");
writeFileSync(questions, '{"image":"a.png","question":"What?"}\n'.repeat(12));

describe("fovea calibrate", () => {
  it("writes the plan, shows the tables, and tells the progress on stderr", async () => {
    const file = join(folder, "plan.json");
    const ran = await runFake(["calibrate", questions, "--drop", "joint", "--count", "2", "--out", file]);
    expect(ran).toMatchObject({ code: 0, err: "10 of 12 prompts\n12 of 12 prompts\n", disposed: 1 });
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ skipLayers: [{ part: "attention", layers: [0, 1] }] });
    expect(ran.out).toContain("layer  attention      text    visual       ffn");
    expect(ran.out).toContain("7         0.5000    0.5000    0.5000");
    expect(ran.out).toContain("7         0.2500    0.2500    0.2500");
    expect(ran.out).toContain("\ndropped attention 0, attention 1\n");
    expect(ran.forwards).toHaveLength(12);
  });

  it("--json prints one object; a plan to begin with, and fewer prompts", async () => {
    const args = "--json --limit 3 --skip-layers ffn:6 --iterative --count 2 --rows text";
    const ran = await runFake(["calibrate", questions, ...args.split(" ")]);
    const result = JSON.parse(ran.out);
    expect(result.plan.skipLayers).toEqual([
      { part: "ffn", layers: [6] },
      { part: "attention", layers: [0, 1] },
    ]);
    expect(result.table).toHaveLength(8);
    expect(ran.forwards).toHaveLength(6);
    expect(ran.forwards[0]).toEqual({ skipLayers: [{ part: "ffn", layers: [6] }] });
  });

  it("--window shows how far each window turns", async () => {
    const ran = await runFake(["calibrate", questions, "--drop", "block", "--count", "3", "--window"]);
    expect(ran.out).toContain("  from layer 5: 0.0000\ndropped block 0, block 1, block 2\n");
  });

  it.each([
    [["--count", "9"], 1, "leave 8 to choose from"],
    [["--drop", "mlp"], 2, "Allowed choices are attention, ffn, block, joint"],
    [["--window"], 1, 'expected drop "block"'],
  ])("%j: says what is wrong and frees the model", async (args, code, message) => {
    const file = join(folder, "never.json");
    const ran = await runFake(["calibrate", questions, "--out", file, ...args]);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain(message);
    expect(ran.disposed).toBe(ran.loads.length);
    expect(existsSync(file)).toBe(false);
  });
});

describe("fovea ask with a plan for the depth", () => {
  it.each([
    [["--draft"], { draft: {} }],
    [["--draft", "attention:3,max:4"], { draft: { skipLayers: [{ part: "attention", layers: [3] }], max: 4 } }],
    [["--exit"], { exit: {} }],
    [
      ["--exit", "layers:4-6,q:0.7", "--prune", "divPrune"],
      { stages: [{ method: "divPrune" }], exit: { layers: [4, 5, 6], q: 0.7 } },
    ],
  ])("%j", async (args, plan) => {
    const ran = await runFake(["ask", "cat.png", "what?", ...args]);
    expect(ran.requests[0]?.plan).toEqual(plan);
  });

  it.each([
    [["--draft", "--exit"], "cannot be used with option"],
    [["--draft", "--plan", "p.json"], "cannot be used with option"],
    [["--draft", "max:many"], "a number"],
  ])("%j is refused", async (args, message) => {
    const ran = await runFake(["ask", "cat.png", "what?", ...args]);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(message);
  });

  it("reports acceptance and exits", async () => {
    const draft = { verifySteps: 3, drafted: 8, accepted: 6, acceptance: 0.75, skipped: [] };
    const exit = { tokens: [0, 0, 0, 4, 0, 0, 0, 4], meanLayer: 5 };
    const reply = { ...fakeReply, usage: { ...fakeReply.usage, draft, exit } };
    const ran = await runFake(["ask", "cat.png", "what?"], { reply });
    expect(ran.err).toContain("drafts: 6 of 8 tokens accepted (75 %) in 3 verify steps\n");
    expect(ran.err).toContain("left after layer 5.0 of 7 on average\n");
  });
});
