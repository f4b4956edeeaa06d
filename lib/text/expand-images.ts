import { FoveaError } from "../errors.js";

/** No prompt is longer; guards the allocation against absurd row counts. */
const maxIds = 16 * 1024 * 1024;

/** Replaces the i-th image token of a prompt by `rowsPerImage[i]` copies: one for each visual row. */
export function expandImages(
  ids: readonly number[],
  imageTokenId: number,
  rowsPerImage: readonly number[],
): Int32Array {
  const placeholders = ids.reduce((count, id) => count + (id === imageTokenId ? 1 : 0), 0);
  if (placeholders !== rowsPerImage.length) {
    throw new FoveaError(
      "ERR_FOVEA_INVALID_ARGUMENT",
      `The prompt has ${placeholders} image placeholders for ${rowsPerImage.length} images. Give one image per ` +
        "placeholder, and do not write the model's image token into the text.",
    );
  }
  const total = rowsPerImage.reduce((sum, rows) => sum + rows, ids.length - placeholders);
  if (total > maxIds) {
    throw new FoveaError("ERR_FOVEA_CONTEXT_LENGTH", `The prompt has ${total} rows. Send fewer or smaller images.`);
  }
  const expanded = new Int32Array(total);
  let at = 0;
  let image = 0;
  for (const id of ids) {
    const copies = id === imageTokenId ? (rowsPerImage[image++] as number) : 1;
    expanded.fill(id, at, at + copies);
    at += copies;
  }
  return expanded;
}
