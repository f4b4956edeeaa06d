import { parseJson } from "../fields.js";
import { imageFile, imageFolder } from "../image-files.js";
import type { Question } from "../question.js";
import { questionError } from "../question-error.js";
import { readText } from "../read-text.js";
import type { Loader } from "./loader.js";

/** easy-VQA by Victor Zhou: coloured shapes. */
export const easyVqa: Loader = {
  name: "easy-vqa",
  doc: "questions.json, a list of [question, answer, image id]; images/<image id>.png",
  rule: "folded",
  suffix: "",
  matches: ({ head }) => /^\s*\[\s*\[/.test(head),
  async load(path, images) {
    const folder = await imageFolder(path, images, ["images"]);
    const list = parseJson(await readText(path), path);
    if (!Array.isArray(list)) throw questionError(path, list, "a list of [question, answer, image id]");
    return list.map((value: unknown, i): Question => {
      const where = `${path}, entry ${i}`;
      const [text, answer, image] = Array.isArray(value) ? value : [];
      if (typeof text !== "string" || typeof answer !== "string" || !Number.isSafeInteger(image)) {
        throw questionError(where, value, "[question, answer, image id]");
      }
      return {
        id: String(i),
        kind: answer === "yes" || answer === "no" ? "yes or no" : "shape or color",
        image: imageFile(folder, `${image}.png`, where),
        imageKey: String(image),
        text,
        answers: [answer],
      };
    });
  },
};
