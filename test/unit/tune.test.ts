import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ForwardInputs, Plan, Reply } from "../../lib/index.js";
import { predictRows } from "../../lib/prune/budget/predict-rows.js";
import type { PlanStage } from "../../lib/prune/plan.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { type TuneModel, type TuneOptions, type TuneProgress, tune } from "../../lib/tune/index.js";
import { cosine } from "../../lib/tune/loyalty.js";
import { randomNumbers } from "../../lib/tune/random.js";
import { search } from "../../lib/tune/search.js";
import { searchSpace } from "../../lib/tune/search-space.js";
import { split } from "../../lib/tune/split.js";
import { fakeInfo, fakeReply } from "./cli-fake-engine.js";
import { questionSet } from "./eval-fake-model.js";

describe("search", () => {
  const top = [0.9, 0.2, 0.7];
  const hill = async (point: number[]) => -point.reduce((sum, x, i) => sum + (x - (top[i] as number)) ** 2, 0);

  it("begins in the middle, climbs, and reports every step", async () => {
    const points: number[][] = [];
    const bests: number[] = [];
    const evaluate = (point: number[]) => {
      points.push(point);
      return hill(point);
    };
    const found = await search(3, evaluate, { evaluations: 150, seed: 1 }, (done, best) =>
      bests.push(done, best.value),
    );
    expect(points[0]).toEqual([0.5, 0.5, 0.5]);
    expect(points).toHaveLength(150);
    expect(points.flat().every((x) => x >= 0 && x <= 1)).toBe(true);
    expect(found.value).toBeGreaterThan(-0.005);
    expect(found.value).toBe(await hill(found.point));
    expect(bests.slice(-2)).toEqual([150, found.value]);
  });

  it("same seed, same points; another seed, others", async () => {
    const pointsOf = async (seed: number) => {
      const points: number[][] = [];
      await search(
        2,
        async (point) => points.push(point),
        { evaluations: 20, seed },
        () => {},
      );
      return points;
    };
    expect(await pointsOf(3)).toEqual(await pointsOf(3));
    expect(await pointsOf(3)).not.toEqual(await pointsOf(4));
  });

  it("where nothing is allowed, says so by its value", async () => {
    const found = await search(
      1,
      async () => Number.NEGATIVE_INFINITY,
      { evaluations: 5, seed: 0 },
      () => {},
    );
    expect(found.value).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe("searchSpace", () => {
  const facts = { ...fakeInfo, nLayers: 32 };
  const middle = (n: number) => Array<number>(n).fill(0.5);

  it("takes what stages leave open: the middle divides evenly", () => {
    const space = searchSpace([{ method: "divPrune" }, { method: "pyramidDrop" }], facts);
    expect(space.nDimensions).toBe(1 + 3 + 3);
    const [first, second] = space.stagesAt(middle(7), 2);
    expect(first).toEqual({ method: "divPrune", keep: 0.3678 }); // exp(-1)
    expect(second).toEqual({ method: "pyramidDrop", layers: [8, 16, 24], keep: [0.3678, 0.1353, 0.0497] });
    expect(space.stagesAt(middle(7), 0)).toEqual([]);
  });

  it("leaves alone what they give, and an alternative to it", () => {
    const given: PlanStage[] = [
      { method: "random", count: 9 },
      { method: "uniform", layer: 3 },
      { method: "pyramidDrop", lambda: 0.5 },
      { method: "pyramidDrop", layers: [3, 9] },
    ];
    const space = searchSpace(given, facts);
    expect(space.nDimensions).toBe(1 + 3 + 2);
    const stages = space.stagesAt(middle(6), 1);
    expect(stages[0]).toEqual({ method: "random", count: 9 });
    expect(stages[1]).toEqual({ method: "uniform", layer: 3, keep: 0.6065 });
    expect(stages[2]).toEqual({ method: "pyramidDrop", lambda: 0.5, layers: [8, 16, 24] });
    expect(stages[3]).toMatchObject({ layers: [3, 9], keep: [0.6065, 0.3678] });
  });

  it("a weight near nothing leaves the place out; a layer near 0 is before the decoder", () => {
    const space = searchSpace([{ method: "divPrune" }, { method: "uniform" }], facts);
    expect(space.stagesAt([0.05, 0.01, 0.5], 1)).toEqual([{ method: "uniform", keep: 0.6065 }]);
    expect(space.stagesAt([0.05, 0.99, 0.5], 1)).toEqual([{ method: "uniform", layer: 31, keep: 0.6065 }]);
  });

  it("every point is a valid plan, and loses no fewer rows the stronger", () => {
    const templates: PlanStage[] = [{ method: "divPrune" }, { method: "uniform" }, { method: "pyramidDrop" }];
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 40 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        fc.double({ min: 0, max: 128, noNaN: true }),
        (nLayers, coordinates, strength) => {
          const space = searchSpace(templates, { ...fakeInfo, nLayers });
          const point = [...coordinates.take(space.nDimensions)];
          const rows = [strength, strength + 0.1].map((s) => {
            const plan = lowerPlan({ stages: space.stagesAt(point, s) }, { ...fakeInfo, nLayers });
            const { visual } = predictRows(plan, { textRows: 1, images: [256] }, { ...fakeInfo, nLayers });
            return visual.reduce((sum, n) => sum + n, 0);
          });
          expect(rows[1]).toBeLessThanOrEqual(rows[0] as number);
        },
      ),
    );
  });

  it("refuses stages that leave nothing open, and methods that are not there", () => {
    expect(() => searchSpace([{ method: "divPrune", keep: 0.5 }], facts)).toThrow(/leaves open how much it keeps/);
    expect(() => searchSpace([{ method: "divPrun" }], facts)).toThrow(/Did you mean "divPrune"/);
  });
});

describe("split", () => {
  it("draws by seed; no picture is in both parts", () => {
    const { questions } = questionSet(30);
    const parts = split(questions, 1, 50, randomNumbers(1));
    expect(parts.search).toHaveLength(1);
    expect(parts.heldOut).toHaveLength(20); // of the two other pictures
    expect(parts.heldOut.map(({ imageKey }) => imageKey)).not.toContain(parts.search[0]?.imageKey);
    expect(split(questions, 5, 5, randomNumbers(1))).toEqual(split(questions, 5, 5, randomNumbers(1)));
  });
});

describe("cosine", () => {
  it.each([
    [[1, 0], [5, 0], 1],
    [[1, 0], [0, 2], 0],
    [[1, 1], [-1, -1], -1],
    [[0, 0], [1, 1], 0],
    [[Number.NaN, 1], [1, 1], 0],
  ])("%j, %j: %d", (a, b, expected) => {
    expect(cosine(Float32Array.from(a), Float32Array.from(b))).toBeCloseTo(expected, 6);
  });
});

/** A model whose last row turns away the more rows are dropped before layer 4, and answers by it. */
class TurningModel implements TuneModel {
  readonly info = fakeInfo;
  readonly plans: (Plan | undefined)[] = [];
  answers = 0;

  async process() {
    const ids = new Int32Array(266).fill(fakeInfo.imageTokenId, 5, 261);
    const pixels = { data: new Float32Array(3 * 224 * 224), shape: [1, 3, 224, 224] };
    return { input_ids: { data: ids, shape: [1, 266] }, pixel_values: pixels };
  }

  async forward({ plan }: ForwardInputs) {
    this.plans.push(plan);
    const angle = this.#angle(plan);
    return {
      logits: { data: new Float32Array(), shape: [1, 0, 0] },
      lastHidden: { data: Float32Array.of(Math.cos(angle), Math.sin(angle)), shape: [1, 2] },
      rows: [],
      stages: [],
    };
  }

  async *stream({ plan }: Parameters<TuneModel["stream"]>[0]): ReturnType<TuneModel["stream"]> {
    this.answers += 1;
    const isPruned = plan !== undefined;
    const text = isPruned && this.answers % 4 === 0 ? "another" : "the same";
    const timings: Reply["timings"] = { ...fakeReply.timings, encode: 10, prefill: isPruned ? 20 : 50 };
    yield { type: "generation-end", reply: { ...fakeReply, text, timings } };
  }

  async costModel() {
    return { encode: { fixed: 10, slope: 0 }, prefill: { fixed: 0, slope: 1e-8 }, select: {} };
  }

  #angle(plan: Plan | undefined): number {
    const { visual } = predictRows(lowerPlan(plan, fakeInfo), { textRows: 10, images: [256] }, fakeInfo);
    return visual.slice(0, 4).reduce((sum, n) => sum + (256 - n) / 1024, 0);
  }
}

describe("tune", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fovea-tune-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function options(more: Partial<TuneOptions> = {}): TuneOptions & { model: TurningModel } {
    const stages = [{ method: "divPrune" }, { method: "pyramidDrop" }];
    const questions = questionSet(12);
    return {
      questions,
      stages,
      budget: { ratio: 0.5 },
      samples: 2,
      heldOut: 4,
      evaluations: 40,
      ...more,
      model: new TurningModel(),
    };
  }

  it("finds what the model likes, within the budget, and says what it is worth", async () => {
    const progress: TuneProgress[] = [];
    const { stages, notes } = await tune(options({ onProgress: (one) => progress.push(one) }));
    expect(notes.likeness).toBeGreaterThan(notes.firstLikeness);
    expect(notes.likeness).toBeGreaterThan(0.98); // nothing is dropped before layer 4 but what has to be
    expect(notes.predicted.ratio).toBeLessThanOrEqual(0.5);
    expect(notes.predicted.ratio).toBeGreaterThan(0.48);
    expect(notes.unpruned.ratio).toBe(1);
    expect(notes).toMatchObject({ budget: { ratio: 0.5 }, samples: 2, evaluations: 40, seed: 0 });
    expect(notes.heldOut).toMatchObject({ questions: 4, loyalty: { value: 0.5 }, ms: 30, unprunedMs: 60 });
    expect(() => lowerPlan({ stages, notes }, fakeInfo)).not.toThrow();
    expect(progress.map(({ phase }) => phase)).toEqual([
      ...Array(2).fill("prepare"),
      ...Array(40).fill("search"),
      ...Array(4).fill("try"),
    ]);
    expect(progress[41]).toEqual({ phase: "search", done: 40, total: 40, best: notes.likeness });
  });

  it("a budget in milliseconds asks the cost model", async () => {
    const { notes } = await tune(options({ budget: { ms: 20 }, heldOut: 0, evaluations: 3 }));
    expect(notes.predicted.ms).toBeLessThanOrEqual(20);
    expect(notes).not.toHaveProperty("heldOut");
  });

  it("goes on from its log, of which a torn last line does not count", async () => {
    const log = join(folder, "log.jsonl");
    const whole = options({ log });
    const first = await tune(whole);
    const lines = readFileSync(log, "utf8").split("\n").length - 2; // header, end
    expect(whole.model.plans).toHaveLength(2 + 2 * lines);
    appendFileSync(log, '{"plan":{"stages":[');
    const again = options({ log, heldOut: 0 });
    const { heldOut: _, ...notes } = first.notes;
    expect(await tune(again)).toEqual({ stages: first.stages, notes });
    expect(again.model.plans).toHaveLength(2); // the unpruned ones
    expect(readFileSync(log, "utf8").split("\n")).toHaveLength(lines + 2);
    await expect(tune(options({ log, seed: 1 }))).rejects.toThrow(/log\.jsonl is not the log of this search/);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const onProgress = ({ phase, done }: TuneProgress) => {
      if (phase === "search" && done === 3) controller.abort(new Error("enough"));
    };
    await expect(tune(options({ signal: controller.signal, onProgress }))).rejects.toThrow("enough");
  });

  it.each<[Partial<TuneOptions>, RegExp]>([
    [{ budget: { ratio: 0.001 } }, /budget\.ratio: got 0\.001, expected more: .* cost 0\.\d+/],
    [{ budget: { ratio: 2 } }, /budget\.ratio: got 2/],
    [{ samples: 0 }, /samples is 0; expected a whole number from 1 to 1024/],
    [{ evaluations: 1.5 }, /evaluations is 1\.5/],
    [{ stages: [] }, /leaves open how much it keeps/],
  ])("refuses %j", async (more, message) => {
    await expect(tune(options(more))).rejects.toThrow(message);
  });
});
