import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadQuestions } from "../../lib/eval/index.js";
import { type Budget, type GenerateOptions, loadModel, type Model, type PlanStage, presets } from "../../lib/index.js";
import { tune } from "../../lib/tune/index.js";
import { ask, miniModel, rejection } from "./fixtures.js";

let model: Model;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fovea-budget-"));
  vi.stubEnv("FOVEA_CACHE", folder);
  model = await loadModel(miniModel);
});
afterAll(async () => {
  await model.dispose();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const messages = ask("What objects are in the image?", 1, 2);

async function budgetOf(stages: PlanStage[], budget: Budget, more: Partial<GenerateOptions> = {}) {
  const { usage } = await model.generate({ messages, plan: { stages, budget }, maxTokens: 1, ...more });
  if (usage.budget === undefined) throw new Error("no report of the budget");
  return usage.budget;
}

describe("a budget", () => {
  it.each<[PlanStage[], Budget]>([
    [[{ method: "divPrune" }], { rows: 100 }],
    [[{ method: "pyramidDrop" }], { ratio: 0.4 }],
    [[{ method: "divPrune" }, { method: "pyramidDrop" }], { flops: 0.8 }],
    [[{ method: "uniform", layer: 3 }], { kvBytes: 3_000_000 }],
  ])("%j, %j: what runs is what was predicted", async (stages, asked) => {
    const { predicted, measured, plan } = await budgetOf(stages, asked);
    const { ms, ...counted } = measured;
    expect(counted).toEqual(predicted);
    expect(ms).toBeGreaterThan(0);
    const plain = await model.generate({ messages, plan, maxTokens: 1 });
    const solved = await model.generate({ messages, plan: { stages, budget: asked }, maxTokens: 1 });
    expect(solved.tokens).toEqual(plain.tokens);
    expect(solved.usage.stages).toEqual(plain.usage.stages);
  });

  it("in milliseconds: measures once, then drops no more rows than the limit makes it", async () => {
    const costs = await model.costModel({ stages: [{ method: "divPrune" }] });
    for (const line of [costs.encode, costs.prefill, costs.select.divPrune]) {
      expect((line?.fixed ?? 0) + (line?.slope ?? 0)).toBeGreaterThan(0);
    }
    const stages = [{ method: "divPrune" }];
    const all = await budgetOf(stages, { ms: 1e6 });
    expect(all.share).toBe(1);
    const most = all.predicted.ms as number;
    const least = await rejection(model.generate({ messages, plan: { stages, budget: { ms: 1e-3 } }, maxTokens: 1 }));
    const limit = Number(/at least ([\d.e+]+),/.exec(String(least))?.[1]);
    expect(limit).toBeLessThanOrEqual(most * 1.01);
    const { predicted } = await budgetOf(stages, { ms: limit });
    expect(predicted.ms).toBeLessThanOrEqual(limit);
    expect(await model.costModel()).toBe(costs);
  });

  it("holds for forward()", async () => {
    const inputs = await model.process(messages);
    const plan = { stages: [{ method: "uniform" }], budget: { ratio: 0.25 } };
    const { stages, rows, lastHidden } = await model.forward({ ...inputs, plan });
    expect(stages[0]?.[0]?.images.map(({ rowsOut }) => rowsOut)).toEqual([64, 64]);
    expect(rows[0]).toHaveLength(inputs.input_ids.data.length - 512 + 128);
    expect(lastHidden.shape).toEqual([1, model.info.dModel]);
  });

  it("that is aborted while it is measured ends at once", async () => {
    const controller = new AbortController();
    const measuring = model.costModel({ again: true, signal: controller.signal });
    controller.abort(new Error("enough"));
    expect(await rejection(measuring)).toEqual(new Error("enough"));
  });
});

it("lastHidden is what the logits are made of: equal rows, equal logits, and the other way round", async () => {
  const inputs = await model.process(messages);
  const plain = await model.forward(inputs, { logitsToKeep: 1 });
  const all = await model.forward({ ...inputs, plan: { stages: [{ method: "uniform", keep: 1 }] } });
  expect(all.lastHidden.data).toEqual(plain.lastHidden.data);
  const pruned = await model.forward({ ...inputs, plan: "fast" as never });
  expect(pruned.lastHidden.data).not.toEqual(plain.lastHidden.data);
  // The final norm leaves numbers of about the size of its weights, whatever came in.
  const square = plain.lastHidden.data.reduce((sum, x) => sum + x * x, 0) / model.info.dModel;
  expect(square).toBeGreaterThan(0.1);
  expect(square).toBeLessThan(100);
});

it.each(Object.keys(presets) as (keyof typeof presets)[])("the preset %s runs by its name", async (name) => {
  const { usage } = await model.generate({ messages, plan: name, maxTokens: 1 });
  expect(usage.stages.at(-1)?.images[0]?.rowsOut).toBeLessThanOrEqual(128);
});

it("tune finds a plan that the model runs", async () => {
  const questions = await loadQuestions("model/eval/questions.jsonl", { limit: 40 });
  const stages = [{ method: "divPrune" }, { method: "pyramidDrop" }];
  const settings = { samples: 3, heldOut: 2, evaluations: 6, maxTokens: 4 };
  const { stages: found = [], notes } = await tune({ model, questions, stages, budget: { ratio: 0.3 }, ...settings });
  expect(notes.likeness).toBeGreaterThanOrEqual(notes.firstLikeness);
  expect(notes.firstLikeness).toBeGreaterThan(0.5);
  const { usage } = await model.generate({ messages, plan: { stages: found, notes }, maxTokens: 1 });
  expect(usage.stages.length).toBeGreaterThan(0);
  expect(notes.heldOut?.ms).toBeGreaterThan(0);
});
