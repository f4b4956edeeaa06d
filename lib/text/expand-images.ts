import { FoveaError } from "../errors.js";

/** No prompt is longer; guards the allocation against absurd row counts. */
const maxIds = 16 * 1024 * 1024;

/**
 * Replaces the i-th image or video token of a prompt, one of `tokenIds`, by what `placeholders[i]` says: for a number so
 * many of that token, one for each visual row; for text its tokens, by `encode`.
 */
export function expandImages(
  ids: readonly number[],
  tokenIds: readonly number[],
  placeholders: readonly (readonly (string | number)[])[],
  encode: (text: string) => readonly number[],
): Int32Array {
  const found = ids.reduce((count, id) => count + (tokenIds.includes(id) ? 1 : 0), 0);
  if (found !== placeholders.length) {
    throw new FoveaError(
      "ERR_FOVEA_INVALID_ARGUMENT",
      `The prompt has ${found} image placeholders for ${placeholders.length} images. Give one image per ` +
        "placeholder, and do not write the model's image or video token into the text.",
    );
  }
  const written = new Map<string, readonly number[]>();
  const idsOf = (text: string) => {
    const known = written.get(text) ?? encode(text);
    written.set(text, known);
    return known;
  };
  const lengthOf = (part: string | number) => (typeof part === "number" ? part : idsOf(part).length);
  const total = placeholders.flat().reduce<number>((sum, part) => sum + lengthOf(part), ids.length - found);
  if (total > maxIds) {
    throw new FoveaError("ERR_FOVEA_CONTEXT_LENGTH", `The prompt has ${total} rows. Send fewer or smaller images.`);
  }
  const expanded = new Int32Array(total);
  let at = 0;
  let image = 0;
  for (const id of ids) {
    if (!tokenIds.includes(id)) {
      expanded[at++] = id;
      continue;
    }
    for (const part of placeholders[image++] as readonly (string | number)[]) {
      if (typeof part === "number") expanded.fill(id, at, at + part);
      else expanded.set(idsOf(part), at);
      at += lengthOf(part);
    }
  }
  return expanded;
}
