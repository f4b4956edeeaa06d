import { stat } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { questionError } from "./question-error.js";

/** The folder of a set's pictures: as told, or the first of some places next to the questions, or their own folder. */
export async function imageFolder(questions: string, told: string | undefined, places: string[]): Promise<string> {
  if (told !== undefined) return told;
  const own = dirname(questions);
  for (const place of places) {
    const folder = join(own, place);
    if (await isFolder(folder)) return folder;
  }
  return own;
}

/** The path of a picture that a file of questions names; it must stay in the folder. */
export function imageFile(folder: string, name: string, where: string): string {
  const inside = normalize(name);
  if (isAbsolute(name) || inside.split(/[\\/]/)[0] === ".." || name.includes("\0")) {
    throw questionError(where, name, "the path of a picture inside the folder of pictures");
  }
  return join(folder, inside);
}

/** True for a folder that exists. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
