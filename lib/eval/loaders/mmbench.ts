import { type Entry, textField } from "../fields.js";
import type { Question } from "../question.js";
import { questionError } from "../question-error.js";
import { readText } from "../read-text.js";
import { tsvRows } from "../tsv.js";
import type { Loader } from "./loader.js";

const letters = ["A", "B", "C", "D"];
/** Copies of a question with its options moved on carry its index plus a multiple of this (VLMEvalKit's files). */
const circleStep = 1_000_000;

/** MMBench, arXiv 2307.06281: four options; CircularEval counts questions right in every order of the options. */
export const mmbench: Loader = {
  name: "mmbench",
  doc: "a TSV with index, question, hint, A to D, answer, category and image in base64",
  rule: "option",
  suffix: "Answer with the option's letter from the given choices directly.",
  matches: ({ head }) => {
    const columns = head.slice(0, head.indexOf("\n")).trim().split("\t");
    return ["index", "question", "A", "image"].every((name) => columns.includes(name));
  },
  async load(path) {
    const rows = readRows(await readText(path), path);
    const images = new Map(rows.map(({ record }) => [record.index, record.image]));
    const isCircular = rows.some(({ record }) => Number(record.index) >= circleStep);
    return rows.map((row): Question => {
      const index = textField(row, "index");
      const options = readOptions(row);
      const answer = textField(row, "answer").trim();
      if (!(answer in options)) throw questionError(`${row.where}, answer`, answer, `one of ${Object.keys(options)}`);
      const { key, image } = readImage(row, images);
      return {
        id: index,
        kind: filled(row.record.category) ?? "question",
        image,
        imageKey: key,
        text: prompt(filled(row.record.hint), textField(row, "question"), options),
        answers: [answer],
        options,
        ...(isCircular && { group: String(Number(index) % circleStep) }),
      };
    });
  },
};

function readRows(text: string, path: string): Entry[] {
  const [head, ...rows] = tsvRows(text, path);
  const columns = head?.fields ?? [];
  return rows.map(({ line, fields }) => {
    const where = `${path}, line ${line}`;
    if (fields.length !== columns.length) throw questionError(where, fields.length, `${columns.length} fields`);
    return { where, record: Object.fromEntries(columns.map((name, i) => [name, fields[i]])) };
  });
}

/** The options up to the first that is missing. */
function readOptions({ record, where }: Entry): Record<string, string> {
  const texts = letters.map((letter) => filled(record[letter]));
  const n = texts.indexOf(undefined);
  const options = letters.slice(0, n < 0 ? letters.length : n).map((letter, i) => [letter, texts[i] as string]);
  if (options.length < 2) throw questionError(where, record.B, "at least two options, in the columns A and B");
  return Object.fromEntries(options);
}

/** pandas writes what is missing as nothing, "nan" or "None". */
function filled(value: unknown): string | undefined {
  return typeof value === "string" && !/^\s*(nan|none)?\s*$/i.test(value) ? value : undefined;
}

/** The picture, in this row or in the one whose index stands in its place. */
function readImage(row: Entry, images: Map<unknown, unknown>): { key: string; image: Uint8Array } {
  const text = textField(row, "image");
  const isIndex = /^\d{1,15}$/.test(text);
  const data = isIndex ? images.get(text) : text;
  if (typeof data !== "string" || /^\d*$/.test(data)) {
    throw questionError(`${row.where}, image`, text, "a picture in base64, or the index of a row that has one");
  }
  return { key: isIndex ? text : textField(row, "index"), image: Buffer.from(data, "base64") };
}

/** As LLaVA-1.5 asks it. */
function prompt(hint: string | undefined, question: string, options: Record<string, string>): string {
  const choices = Object.entries(options).map(([letter, text]) => `${letter}. ${text}`);
  return [...(hint === undefined ? [] : [hint]), question, ...choices].join("\n");
}
