import { type Entry, idField, jsonLines, textField, textsField } from "../fields.js";
import { imageFile, imageFolder } from "../image-files.js";
import type { Question } from "../question.js";
import { readText } from "../read-text.js";
import type { Loader } from "./loader.js";

/** Fovea's own format, that of model/eval. */
export const jsonl: Loader = {
  name: "jsonl",
  doc: "one {image, question, answer, id?, kind?} a line; answer is a text or a list of right ones",
  rule: "exact",
  suffix: "",
  matches: ({ head }) => /^\s*\{[^\n]*"question"\s*:[^\n]*\}/.test(head) && /"image"\s*:/.test(head),
  async load(path, images) {
    const folder = await imageFolder(path, images, []);
    return jsonLines(await readText(path), path).map((entry, i): Question => {
      const { record, where } = entry;
      const name = textField(entry, "image");
      return {
        id: record.id === undefined ? String(i + 1) : idField(entry, "id"),
        kind: record.kind === undefined ? "question" : textField(entry, "kind"),
        image: imageFile(folder, name, where),
        imageKey: name,
        text: textField(entry, "question"),
        answers: readAnswers(entry),
      };
    });
  },
};

function readAnswers(entry: Entry): string[] {
  return Array.isArray(entry.record.answer) ? textsField(entry, "answer") : [textField(entry, "answer")];
}
