import { readdir } from "node:fs/promises";
import { join, parse } from "node:path";
import { FoveaError } from "../../errors.js";
import { isFolder } from "../image-files.js";
import type { Question } from "../question.js";
import { questionError } from "../question-error.js";
import { readText } from "../read-text.js";
import type { Loader } from "./loader.js";

const imageTypes = [".jpg", ".jpeg", ".png", ".webp"];

/** MME, arXiv 2306.13394: two questions a picture; acc+ counts the pictures with both right. */
export const mme: Loader = {
  name: "mme",
  doc: 'a folder per category with <name>.txt of "question, tab, Yes or No" lines next to <name>.jpg or <name>.png',
  rule: "mme",
  suffix: "",
  matches: ({ isFolder: is }) => is,
  async load(path) {
    const names = await list(path);
    const questions: Question[] = [];
    for (const category of names) {
      if (await isFolder(join(path, category))) questions.push(...(await loadCategory(path, category)));
    }
    return questions;
  },
};

/** Five categories keep texts and pictures in folders of their own, the others side by side. */
async function loadCategory(root: string, category: string): Promise<Question[]> {
  const folder = join(root, category);
  const isSplit = await isFolder(join(folder, "questions_answers_YN"));
  const [texts, pictures] = isSplit ? [join(folder, "questions_answers_YN"), join(folder, "images")] : [folder, folder];
  const names = await list(texts);
  const files = new Set(isSplit ? await list(pictures) : names);
  const questions: Question[] = [];
  for (const name of names.filter((file) => file.endsWith(".txt"))) {
    const path = join(texts, name);
    const stem = parse(name).name;
    const picture = imageTypes.map((type) => stem + type).find((file) => files.has(file));
    if (picture === undefined) throw questionError(path, name, `a picture ${stem}.jpg or ${stem}.png in ${pictures}`);
    const group = `${category}/${stem}`;
    for (const pair of readPairs(await readText(path), path)) {
      questions.push({
        ...pair,
        id: `${group}/${pair.id}`,
        kind: category,
        image: join(pictures, picture),
        imageKey: group,
        group,
      });
    }
  }
  return questions;
}

function readPairs(text: string, path: string): Pick<Question, "id" | "text" | "answers">[] {
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    const tab = line.lastIndexOf("\t");
    const answer = line
      .slice(tab + 1)
      .trim()
      .toLowerCase();
    if (tab < 1 || (answer !== "yes" && answer !== "no")) {
      throw questionError(`${path}, line ${i + 1}`, line, "a question, a tab, and Yes or No");
    }
    return [{ id: String(i + 1), text: line.slice(0, tab).trim(), answers: [answer] }];
  });
}

/** Names in a folder, in an order that does not depend on the file system. */
async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `Cannot list ${folder}: ${(cause as Error).message}.`, {
      cause,
    });
  }
}
