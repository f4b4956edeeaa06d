import { idField, jsonLines, textField } from "../fields.js";
import { imageFile, imageFolder } from "../image-files.js";
import type { Question } from "../question.js";
import { questionError } from "../question-error.js";
import { readText } from "../read-text.js";
import { type Loader, oneWord } from "./loader.js";

/** POPE, arXiv 2305.10355: is there such an object in the picture? */
export const pope: Loader = {
  name: "pope",
  doc: "coco_pope_*.json, one {question_id, image, text, label} a line; pictures in val2014",
  rule: "pope",
  suffix: oneWord,
  matches: ({ head }) => /^\s*\{[^\n]*"label"\s*:[^\n]*\}/.test(head) && /"text"\s*:/.test(head),
  async load(path, images) {
    const folder = await imageFolder(path, images, ["val2014", "../val2014"]);
    return jsonLines(await readText(path), path).map((entry): Question => {
      const label = textField(entry, "label");
      if (label !== "yes" && label !== "no") throw questionError(`${entry.where}, label`, label, '"yes" or "no"');
      const name = textField(entry, "image");
      return {
        id: idField(entry, "question_id"),
        kind: label,
        image: imageFile(folder, name, entry.where),
        imageKey: name,
        text: textField(entry, "text"),
        answers: [label],
      };
    });
  },
};
