import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { FoveaError } from "../errors.js";
import { isFolder } from "./image-files.js";
import type { Loader } from "./loaders/loader.js";
import { loaders } from "./loaders/registry.js";
import type { Question, QuestionSet } from "./question.js";
import { questionError } from "./question-error.js";
import { readHead } from "./read-text.js";

/** How to read a set of questions. */
export interface LoadQuestionsOptions {
  /** Name of a format: jsonl, pope, textvqa, gqa, mmbench, mme or easy-vqa. Default: recognised. */
  format?: string;
  /** Folder of the pictures. Default: where the authors put them, next to the questions. */
  images?: string;
  /** Only the first so many questions. */
  limit?: number;
  /** Goes behind every question instead of what is usual for the benchmark. */
  suffix?: string;
}

/** Far more than any published set has. */
const maxQuestions = 1_000_000;

/**
 * Reads questions about pictures: Fovea's own format, or a benchmark's files as its authors publish them.
 *
 * @param path - the file; for MME, and for folders that hold `questions.jsonl` or `questions.json`, the folder.
 * @example
 * const questions = await loadQuestions("POPE/coco_pope_random.json", { images: "val2014" });
 * @throws FoveaError ERR_FOVEA_INVALID_ARGUMENT with the file and the line or entry that is wrong.
 */
export async function loadQuestions(path: string, options: LoadQuestionsOptions = {}): Promise<QuestionSet> {
  const { limit = Number.POSITIVE_INFINITY } = options;
  if (!(limit >= 1)) throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `limit is ${limit}; expected 1 or more.`);
  const file = await fileInFolder(path);
  const loader = options.format === undefined ? await recognise(file) : named(options.format);
  const all = await loader.load(file, options.images);
  check(all, file);
  const questions = all.slice(0, limit);
  await checkPictures(questions);
  return {
    path: file,
    format: loader.name,
    rule: loader.rule,
    suffix: options.suffix ?? loader.suffix,
    questions,
    digest: digest(all),
  };
}

/** A folder stands for the questions in it, if they have the name that jsonl or easy-VQA give them. */
async function fileInFolder(path: string): Promise<string> {
  if (!(await isFolder(path))) return path;
  for (const name of ["questions.jsonl", "questions.json"]) {
    const file = join(path, name);
    if (await exists(file)) return file;
  }
  return path;
}

async function recognise(path: string): Promise<Loader> {
  const probe = (await isFolder(path)) ? { isFolder: true, head: "" } : { isFolder: false, head: await readHead(path) };
  const loader = loaders.find((one) => one.matches(probe));
  if (loader === undefined) {
    throw questionError(path, probe.head, `one of the formats ${names()}; if it is one, say which`);
  }
  return loader;
}

function named(format: string): Loader {
  const loader = loaders.find(({ name }) => name === format);
  if (loader !== undefined) return loader;
  throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `format is ${JSON.stringify(format)}; expected ${names()}.`);
}

function names(): string {
  return loaders.map(({ name }) => name).join(", ");
}

function check(questions: Question[], path: string): void {
  if (questions.length === 0 || questions.length > maxQuestions) {
    throw questionError(path, questions.length, `1 to ${maxQuestions} questions`);
  }
  const ids = new Set<string>();
  for (const { id } of questions) {
    if (ids.has(id)) throw questionError(path, id, "every question's id once");
    ids.add(id);
  }
}

/** A picture that is missing should not end the run after an hour. */
async function checkPictures(questions: Question[]): Promise<void> {
  const paths = new Set(questions.flatMap(({ image }) => (typeof image === "string" ? [image] : [])));
  for (const path of paths) {
    if (!(await exists(path))) {
      throw questionError(path, undefined, "a picture there; name the folder of the pictures if it is elsewhere");
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function digest(questions: Question[]): string {
  const hash = createHash("sha256");
  for (const { id, imageKey, text, answers } of questions) hash.update(JSON.stringify([id, imageKey, text, answers]));
  return hash.digest("hex");
}
