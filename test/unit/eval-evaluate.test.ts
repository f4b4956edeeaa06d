import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Cell, type EvaluateOptions, evaluate, type Progress } from "../../lib/eval/index.js";
import { FoveaError } from "../../lib/index.js";
import { refusal, rejection } from "../engine/fixtures.js";
import { FakeModel, questionSet } from "./eval-fake-model.js";

const quarter: Cell = {
  name: "uniform 25 %",
  line: "uniform",
  share: 0.25,
  plan: { stages: [{ method: "uniform", keep: 0.25 }] },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fovea-eval-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Right on questions 0 to 3; pruned, it is right on 0 and 1 and says something else on 2 and 3. */
function answer(text: string, isPruned: boolean): string {
  const n = Number(/\d+/.exec(text)?.[0]);
  if (n >= 4) return "always wrong";
  return isPruned && n >= 2 ? "wrong" : `answer ${n}`;
}

describe("figures", () => {
  it("accuracy, loyalty, kinds, rows, work and milliseconds of every cell, the unpruned first", async () => {
    const { cells, ...rest } = await evaluate({
      model: new FakeModel(answer),
      questions: questionSet(8),
      cells: [quarter],
    });
    expect(rest).toMatchObject({
      questions: { format: "jsonl", count: 8, digest: "d1" },
      settings: { concurrency: 1, maxTokens: 64 },
      skipped: [],
    });
    expect(cells.map(({ name }) => name)).toEqual(["unpruned", "uniform 25 %"]);
    const [whole, pruned] = cells;
    expect(whole).toMatchObject({ accuracy: { value: 0.5 }, loyalty: { value: 1 }, rows: { prompt: 256, mean: 256 } });
    expect(pruned).toMatchObject({
      share: 0.25,
      questions: 8,
      accuracy: { value: 0.25 },
      loyalty: { value: 0.75 },
      kinds: { even: { questions: 4, accuracy: { value: 0.25 } }, odd: { questions: 4, accuracy: { value: 0.25 } } },
      rows: { prompt: 256, mean: 64 },
      milliseconds: {
        encode: { median: 80, sum: 640 },
        prefill: { median: 10, sum: 80 },
        select: { median: 2, sum: 16 },
        decode: { median: 6, sum: 48 },
        firstToken: { median: 90, sum: 720 },
      },
      generatedTokens: 24,
    });
    expect(pruned?.groups).toBeUndefined();
    expect(pruned?.f1).toBeUndefined();
    expect(pruned?.flops.imageMacs).toBe(8 * (4 * 64 * 256 ** 2 + 2 * 64 ** 2 * 256 + 3 * 64 * 256 * 704));
  });

  it("groups count when all of them are right; F1 where answers are yes or no", async () => {
    const set = questionSet(4);
    const labels = ["yes", "no", "yes", "no"];
    const questions = set.questions.map((one, i) => ({
      ...one,
      group: i < 2 ? "a" : "b",
      answers: [labels[i] as string],
    }));
    const { cells } = await evaluate({
      model: new FakeModel(() => "yes"),
      questions: { ...set, rule: "mme", questions },
    });
    expect(cells[0]?.accuracy.value).toBe(0.5);
    expect(cells[0]?.groups).toMatchObject({ groups: 2, accuracy: { value: 0 } });
    expect(cells[0]?.f1).toBeCloseTo(2 / 3, 12); // precision 1/2, recall 1
  });
});

describe("asking", () => {
  it("questions about one picture one after another, greedily, with the suffix", async () => {
    const model = new FakeModel();
    await evaluate({ model, questions: questionSet(6, { suffix: "Be brief." }), maxTokens: 5 });
    const asked = [0, 3, 1, 4, 2, 5].map((n) => `Question ${n}?\nBe brief.`);
    expect(model.asked).toEqual([...asked, ...asked]); // the second time to measure
    expect(model.requests.map(({ cache }) => cache)).toEqual([...Array(6).fill(true), ...Array(6).fill(false)]);
    expect(model.requests[0]).toMatchObject({ maxTokens: 5, plan: {}, images: [new Uint8Array([0])] });
    expect(model.requests[0]?.temperature).toBeUndefined();
    expect(model.mostAtOnce).toBe(1);
  });

  it("as many at a time as wanted, with the same result", async () => {
    const [one, four] = [new FakeModel(answer), new FakeModel(answer)];
    const alone = await evaluate({ model: one, questions: questionSet(20), cells: [quarter] });
    const together = await evaluate({ model: four, questions: questionSet(20), cells: [quarter], concurrency: 4 });
    expect(four.mostAtOnce).toBe(4);
    expect(together.cells).toEqual(alone.cells);
  });

  it("reports progress after every answer", async () => {
    const seen: Progress[] = [];
    await evaluate({
      model: new FakeModel(),
      questions: questionSet(3),
      cells: [quarter],
      timed: 1,
      onProgress: (one) => seen.push(one),
    });
    expect(seen[0]).toEqual({ cell: "unpruned", cellsDone: 0, cells: 2, resumed: 0, asked: 0, total: 8 });
    expect(seen.map(({ asked }) => asked)).toEqual([0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 7, 8]);
    expect(seen.at(-1)).toMatchObject({ cell: quarter.name, cellsDone: 2 });
  });

  it("a failure stops what else is asked, and is what the call rejects with", async () => {
    const model = new FakeModel((text) => (text.includes("7") ? new FoveaError("ERR_FOVEA_IMAGE", "no.") : "answer"));
    expect(await refusal(evaluate({ model, questions: questionSet(40), concurrency: 3 }))).toMatchObject({
      code: "ERR_FOVEA_IMAGE",
    });
    expect(model.requests.length).toBeLessThan(40);
  });

  it("an abort rejects with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const onProgress = ({ asked }: Progress) => asked === 2 && controller.abort(reason);
    const model = new FakeModel();
    const options = { model, questions: questionSet(9), signal: controller.signal, onProgress, concurrency: 2 };
    expect(await rejection(evaluate(options as EvaluateOptions))).toBe(reason);
    expect(model.requests.length).toBeLessThan(6);
  });

  it.each([
    [{ concurrency: 0 }, "concurrency is 0"],
    [{ maxTokens: 1.5 }, "maxTokens is 1.5"],
    [{ resume: true }, "resume needs out"],
    [{ cells: [quarter, quarter] }, 'Two cells have one name: "uniform 25 %"'],
    [{ cells: [{ name: "unpruned", line: "x", plan: {} }] }, "Two cells have one name"],
    [{ cells: [{ name: "x", line: "x", plan: { stages: [{ method: "y" }] } }] }, "the name of a method"],
  ])("%j is refused before anything is asked", async (options, message) => {
    const model = new FakeModel();
    expect((await refusal(evaluate({ model, questions: questionSet(3), ...options }))).message).toContain(message);
    expect(model.requests).toEqual([]);
  });
});

describe("answers in a folder", () => {
  const options = (model: FakeModel, more: Partial<EvaluateOptions> = {}): EvaluateOptions => ({
    model,
    questions: questionSet(6),
    cells: [quarter],
    out: folder,
    ...more,
  });
  const log = () => join(folder, "answers", "unpruned.jsonl");

  /** Stops after so many answers. */
  async function interrupt(after: number, more: Partial<EvaluateOptions> = {}): Promise<void> {
    const controller = new AbortController();
    const onProgress = ({ asked }: Progress) => void (asked >= after && controller.abort());
    await rejection(evaluate(options(new FakeModel(answer), { signal: controller.signal, onProgress, ...more })));
  }

  it("an interrupted run goes on without asking again, and ends as one in one go", async () => {
    await interrupt(2);
    await interrupt(6, { resume: true });
    const model = new FakeModel(answer);
    const seen: Progress[] = [];
    const resumed = await evaluate(options(model, { resume: true, onProgress: (one) => seen.push(one) }));
    expect(model.requests).toHaveLength(4 + 12);
    expect(seen[0]).toMatchObject({ resumed: 8, asked: 0, total: 24 });
    expect(resumed).toEqual(
      await evaluate({ model: new FakeModel(answer), questions: questionSet(6), cells: [quarter] }),
    );
    const again = new FakeModel();
    expect(await evaluate(options(again, { resume: true }))).toEqual(resumed);
    expect(again.requests).toEqual([]);
  });

  it("a line that a crash cut short is asked again", async () => {
    const whole = await evaluate(options(new FakeModel(answer)));
    const text = readFileSync(log(), "utf8");
    writeFileSync(log(), text.slice(0, -10));
    const model = new FakeModel(answer);
    expect(await evaluate(options(model, { resume: true }))).toEqual(whole);
    expect(model.requests).toHaveLength(1);
    expect(readFileSync(log(), "utf8")).toBe(text);
  });

  it("cells and questions can be added", async () => {
    await evaluate(options(new FakeModel(answer), { cells: [] }));
    const model = new FakeModel(answer);
    const { cells } = await evaluate(options(model, { resume: true, questions: questionSet(8) }));
    expect(cells.map(({ questions }) => questions)).toEqual([8, 8]);
    expect(model.requests).toHaveLength(2 + 8 + 2 + 8);
  });

  it("without resume, a folder that holds answers is refused and left as it is", async () => {
    await evaluate(options(new FakeModel(answer)));
    const text = readFileSync(log(), "utf8");
    const error = await refusal(evaluate(options(new FakeModel())));
    expect(error).toMatchObject({ code: "ERR_FOVEA_INVALID_ARGUMENT", message: expect.stringContaining("Resume it") });
    expect(readFileSync(log(), "utf8")).toBe(text);
  });

  const other: Cell = { ...quarter, plan: { stages: [{ method: "uniform", keep: 0.24 }] } };
  it.each<[string, Partial<EvaluateOptions>]>([
    ["questions", { questions: questionSet(6, { digest: "d2" }) }],
    ["suffix", { questions: questionSet(6, { suffix: "Please." }) }],
    ["maxTokens", { maxTokens: 9 }],
    ["plan", { cells: [other] }],
  ])("other %s than the answers were made with are refused, and nothing is asked", async (name, more) => {
    await evaluate(options(new FakeModel(answer)));
    const model = new FakeModel();
    const { message } = await refusal(evaluate(options(model, { resume: true, ...more })));
    expect(message).toContain(`cannot be resumed: ${name} changed`);
    expect(model.requests).toEqual([]);
  });

  it.each(['{"id":"q0"}\n', "[]\n", "{\n"])("a file that holds %j is refused with the line", async (line) => {
    await evaluate(options(new FakeModel(answer)));
    appendFileSync(log(), line);
    expect((await refusal(evaluate(options(new FakeModel(), { resume: true })))).message).toContain(
      "line 8 is damaged",
    );
  });

  it("a folder that cannot be written", async () => {
    writeFileSync(join(folder, "answers"), "");
    const error = await refusal(evaluate(options(new FakeModel())));
    expect(error).toMatchObject({
      code: "ERR_FOVEA_INVALID_ARGUMENT",
      message: expect.stringContaining("Cannot write"),
    });
  });
});
