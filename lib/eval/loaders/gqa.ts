import { isRecord } from "../../is-record.js";
import { type Entry, entry, idField, parseJson, textField } from "../fields.js";
import { imageFile, imageFolder } from "../image-files.js";
import type { Question } from "../question.js";
import { readText } from "../read-text.js";
import { type Loader, oneWord } from "./loader.js";

/** GQA, arXiv 1902.09506: compositional questions about photographs. */
export const gqa: Loader = {
  name: "gqa",
  doc: "testdev_balanced_questions.json, an object of {imageId, question, answer} by id; images/<imageId>.jpg",
  rule: "folded",
  suffix: oneWord,
  matches: ({ head }) => /^\s*\{/.test(head) && /"imageId"\s*:/.test(head),
  async load(path, images) {
    const folder = await imageFolder(path, images, ["images", "../images"]);
    const { record } = entry(parseJson(await readText(path), path), path);
    return Object.entries(record).map(([id, value]): Question => {
      const one = entry(value, `${path}, question ${JSON.stringify(id)}`);
      const imageId = idField(one, "imageId");
      return {
        id,
        kind: structuralType(one),
        image: imageFile(folder, `${imageId}.jpg`, one.where),
        imageKey: imageId,
        text: textField(one, "question"),
        answers: [textField(one, "answer")],
      };
    });
  },
};

/** verify, query, choose, logical or compare: how GQA's own evaluation splits its figures. */
function structuralType({ record: { types } }: Entry): string {
  return isRecord(types) && typeof types.structural === "string" ? types.structural : "question";
}
