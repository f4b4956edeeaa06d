import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheFolder } from "../../lib/engine/cache-folder.js";
import { CostMeter } from "../../lib/engine/cost-meter.js";
import type { PromptShape } from "../../lib/prune/budget/cost-facts.js";
import { type CostProbe, measureCosts, measureSelect } from "../../lib/prune/budget/measure-costs.js";
import { predictRows } from "../../lib/prune/budget/predict-rows.js";
import { workOf } from "../../lib/prune/budget/work.js";
import type { LoweredPlan } from "../../lib/prune/plan.js";
import { fakeInfo } from "./cli-fake-engine.js";

/** A machine: 2 ms and 1 ns per multiply-accumulate to encode, 3 ms and 2 ns to prefill, and to choose rows. */
function machine(prompt: PromptShape, plan: LoweredPlan) {
  const rows = predictRows(plan, prompt, fakeInfo);
  const work = workOf(rows, fakeInfo);
  const select = rows.stages.reduce((sum, { rowsIn, pairs }) => sum + 1e-3 * rowsIn + 1e-4 * pairs, 0);
  const inTower = plan.stages.some(({ hook }) => hook === "vision-layer");
  return {
    encode: 2 + 1e-9 * work.encode + (inTower ? select : 0),
    prefill: 3 + 2e-9 * work.prefill + (inTower ? 0 : select),
    select,
  };
}

describe("measuring costs", () => {
  it("finds the lines of a machine, whatever else it does now and then", async () => {
    let calls = 0;
    const probe: CostProbe = async (prompt, plan) => {
      const ms = machine(prompt, plan);
      return ++calls % 3 === 0 ? { ...ms, encode: 7 * ms.encode, prefill: 5 * ms.prefill } : ms;
    };
    const { encode, prefill } = await measureCosts(probe, fakeInfo);
    expect(encode.fixed).toBeCloseTo(2, 6);
    expect(encode.slope).toBeCloseTo(1e-9, 14);
    expect(prefill.fixed).toBeCloseTo(3, 6);
    expect(prefill.slope).toBeCloseTo(2e-9, 14);
  });

  it("runs a slow model once per case, and two images only where they fit", async () => {
    const prompts: PromptShape[] = [];
    const probe: CostProbe = async (prompt) => {
      prompts.push(prompt);
      return { encode: 5000, prefill: 5000, select: 0 };
    };
    await measureCosts(probe, fakeInfo);
    expect(prompts.map(({ images }) => images.length)).toEqual([1, 1, 1, 1, 1, 1, 2]);
    prompts.length = 0;
    await measureCosts(probe, { ...fakeInfo, contextLength: 260 });
    expect(prompts).toEqual(Array(6).fill({ textRows: 3, images: [256] }));
  });

  it("choosing rows: a line for every name, from two shares where the stage is free", async () => {
    const plans: LoweredPlan[] = [];
    const probe: CostProbe = async (prompt, plan) => {
      plans.push(plan);
      return machine(prompt, plan);
    };
    for (const method of ["divPrune", "pyramidDrop"]) {
      const { [method]: line } = await measureSelect(probe, { method }, fakeInfo);
      expect(line?.fixed).toBeCloseTo(1e-3, 9);
      expect(line?.slope).toBeCloseTo(1e-4, 9);
    }
    plans.length = 0;
    await measureSelect(probe, { method: "uniform", count: 9 }, fakeInfo);
    expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBe(1);
    expect(plans[0]?.stages[0]?.steps[0]).toMatchObject({ keep: { count: 9 } });
  });
});

describe("CostMeter", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fovea-costs-"));
    vi.stubEnv("FOVEA_CACHE", folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  function meter(info = fakeInfo, cpu = "Test CPU") {
    const probe = vi.fn(async (prompt: PromptShape, plan: LoweredPlan) => machine(prompt, plan));
    return { probe, meter: new CostMeter(info, () => cpu, probe) };
  }
  const stages = [{ method: "divPrune" }];

  it("measures once, and what is new; the next process reads the file", async () => {
    const first = meter();
    const costs = await first.meter.get(stages, undefined);
    expect(Object.keys(costs.select)).toEqual(["divPrune"]);
    const calls = first.probe.mock.calls.length;
    expect(await first.meter.get(stages, undefined)).toBe(costs);
    expect(first.probe).toHaveBeenCalledTimes(calls);
    const second = meter();
    expect(await second.meter.get([{ method: "divPrune", count: 3 }], undefined)).toEqual(costs);
    expect(second.probe).not.toHaveBeenCalled();
    const more = await second.meter.get([{ method: "uniform" }], undefined);
    expect(Object.keys(more.select).sort()).toEqual(["divPrune", "uniform"]);
    expect(second.probe.mock.calls.length).toBeLessThan(calls);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it("measures again when asked to, for another machine, and when the file is damaged", async () => {
    const first = meter();
    await first.meter.get([], undefined);
    const calls = first.probe.mock.calls.length;
    await first.meter.get([], undefined, true);
    expect(first.probe).toHaveBeenCalledTimes(2 * calls);
    await meter(fakeInfo, "Another CPU").meter.get([], undefined);
    await meter({ ...fakeInfo, threads: 1 }).meter.get([], undefined);
    expect(readdirSync(folder)).toHaveLength(3);
    const damaged = ["{", "[]", '{"encode":{"fixed":-1,"slope":0},"prefill":{"fixed":0,"slope":0},"select":{}}'];
    for (const text of damaged) {
      for (const file of readdirSync(folder)) writeFileSync(join(folder, file), text);
      const again = meter();
      await again.meter.get([], undefined);
      expect(again.probe).toHaveBeenCalledTimes(calls);
      const whole = readdirSync(folder).filter((file) => readFileSync(join(folder, file), "utf8") !== text);
      expect(whole).toHaveLength(1);
    }
  });

  it("stages on the cache are not measured", async () => {
    const { meter: one, probe } = meter();
    await one.get([], undefined);
    const calls = probe.mock.calls.length;
    expect((await one.get([{ method: "snapKv" }], undefined)).select).toEqual({});
    expect(probe).toHaveBeenCalledTimes(calls);
  });

  it("a folder that cannot be written is no reason to fail", async () => {
    writeFileSync(join(folder, "file"), "");
    vi.stubEnv("FOVEA_CACHE", join(folder, "file", "below"));
    const { meter: one, probe } = meter();
    await one.get([], undefined);
    expect(probe).toHaveBeenCalled();
  });

  it("callers at the same time measure once; one that aborts neither waits nor stops the others", async () => {
    const { meter: one, probe } = meter();
    const controller = new AbortController();
    const aborted = one.get(stages, controller.signal);
    const others = [one.get(stages, undefined), one.get(stages, undefined)];
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    const [a, b] = await Promise.all(others);
    expect(a).toBe(b);
    const calls = probe.mock.calls.length;
    const { meter: alone, probe: aloneProbe } = meter({ ...fakeInfo, threads: 7 });
    await alone.get(stages, undefined);
    expect(calls).toBe(aloneProbe.mock.calls.length);
    await expect(one.get(stages, AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  });
});

describe("cacheFolder", () => {
  it.each([
    [{ FOVEA_CACHE: "/a", XDG_CACHE_HOME: "/b" }, /^\/a$/],
    [{ XDG_CACHE_HOME: "/b" }, /^\/b\/fovea$/],
    [{}, /\/\.cache\/fovea$/],
  ])("%j", (env, expected) => {
    expect(cacheFolder(env)).toMatch(expected);
  });
});
