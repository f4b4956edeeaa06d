import { entry, idField, parseJson, textField, textsField } from "../fields.js";
import { imageFile, imageFolder } from "../image-files.js";
import type { Question } from "../question.js";
import { questionError } from "../question-error.js";
import { readText } from "../read-text.js";
import { type Loader, oneWord } from "./loader.js";

/** TextVQA, arXiv 1904.08920: questions about text in photographs, each answered by ten people. */
export const textVqa: Loader = {
  name: "textvqa",
  doc: "TextVQA_0.5.1_val.json, an object with data: [{question_id, image_id, question, answers}]; train_images/<id>.jpg",
  rule: "vqa",
  suffix: oneWord,
  matches: ({ head }) => /^\s*\{/.test(head) && /"(dataset_name"\s*:\s*"textvqa|image_id)"/i.test(head),
  async load(path, images) {
    const folder = await imageFolder(path, images, ["train_images", "train_val_images/train_images", "images"]);
    const { data } = entry(parseJson(await readText(path), path), path).record;
    if (!Array.isArray(data)) throw questionError(`${path}, data`, data, "a list of questions");
    return data.map((value, i): Question => {
      const one = entry(value, `${path}, data[${i}]`);
      const imageId = idField(one, "image_id");
      return {
        id: idField(one, "question_id"),
        kind: "text",
        image: imageFile(folder, `${imageId}.jpg`, one.where),
        imageKey: imageId,
        text: textField(one, "question"),
        answers: textsField(one, "answers"),
      };
    });
  },
};
