// `fovea/eval` on the embedded model and its held-out questions.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { evaluate, gridCells, loadQuestions, type Progress, type QuestionSet } from "../../lib/eval/index.js";
import { loadModel, type Model } from "../../lib/index.js";
import { ask, miniModel, rejection } from "./fixtures.js";

const evalFolder = fileURLToPath(new URL("../../model/eval", import.meta.url));

let folder: string;
let model: Model;
let questions: QuestionSet;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fovea-eval-engine-"));
  model = await loadModel(miniModel);
  questions = await loadQuestions(evalFolder, { limit: 12 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

it("measures what the model itself answers and reports", async () => {
  const everything = gridCells([{ method: "divPrune" }], [1], model.info);
  const quarter = gridCells([{ method: "pyramidDrop" }], [0.25], model.info);
  const cells = [...everything.cells, ...quarter.cells];
  const evaluation = await evaluate({ model, questions, cells, out: folder, concurrency: 2 });
  const [unpruned, everyRow, pyramid] = evaluation.cells;

  const answers = new Map(
    readFileSync(join(folder, "answers", "unpruned.jsonl"), "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => JSON.parse(line))
      .map(({ id, text }) => [id, text]),
  );
  for (const { id, text, image } of questions.questions.slice(0, 3)) {
    const reply = await model.generate({ messages: ask(text, image as string) });
    expect(answers.get(id)).toBe(reply.text.trim());
  }
  const right = questions.questions.filter((question) => answers.get(question.id) === question.answers[0]).length;
  expect(right).toBeGreaterThan(0);
  expect(unpruned?.accuracy.value).toBeCloseTo(right / 12, 12);

  expect(everyRow).toMatchObject({ loyalty: { value: 1 }, accuracy: unpruned?.accuracy, flops: unpruned?.flops });
  expect(pyramid?.rows.prompt).toBe(256);
  expect(pyramid?.rows.mean).toBeGreaterThan(62); // each of three stages cuts to whole rows
  expect(pyramid?.rows.mean).toBeLessThanOrEqual(64);
  expect(pyramid?.flops.flops).toBeLessThan((unpruned?.flops.flops as number) / 3);
  for (const { milliseconds } of evaluation.cells) {
    expect(milliseconds.encode.median).toBeGreaterThan(0);
    expect(milliseconds.firstToken.sum).toBeCloseTo(milliseconds.encode.sum + milliseconds.prefill.sum, 6);
  }

  const again = await evaluate({ model, questions, cells, out: folder, concurrency: 2, resume: true });
  expect(again).toEqual(evaluation); // milliseconds too: nothing was asked
});

it("stops when it is aborted, and the model still answers", async () => {
  const controller = new AbortController();
  const onProgress = ({ asked }: Progress) => {
    if (asked === 1) controller.abort(new Error("enough"));
  };
  const stopped = evaluate({ model, questions, concurrency: 3, signal: controller.signal, onProgress });
  expect(await rejection(stopped)).toMatchObject({ message: "enough" });
  expect(
    (await model.generate({ messages: ask("What is this?", 1), maxTokens: 2 })).usage.generatedTokens,
  ).toBeGreaterThan(0);
});
