import { FoveaError } from "../errors.js";
import type { NativeBinding, NativePixels, PreprocessSpec } from "../native/binding.js";
import { type DecodeOptions, decodeImage } from "./decode.js";
import type { ImageInput } from "./image-input.js";
import type { ImagePreprocessor } from "./image-preprocessor.js";

/** Images ready for the vision tower. */
export interface PreparedImages {
  /** What the tower sees: one or several tiles of each picture. */
  images: NativePixels[];
  /** What each picture's placeholder becomes, for `expandImages`. */
  placeholders: (string | number)[][];
  /** Width and height of each picture before preprocessing. */
  sizes: { width: number; height: number }[];
}

/** Decodes and preprocesses images one after another, so that only one is held in full size at a time. */
export async function prepareImages(
  inputs: readonly ImageInput[],
  preprocessor: ImagePreprocessor,
  { preprocess, resize }: Pick<NativeBinding, "preprocess" | "resize">,
  options: Pick<DecodeOptions, "maxBytes" | "maxPixels"> & {
    signal?: AbortSignal | undefined;
    /** Refuse images with more rows together, before there are pixels of them all. */
    maxRows?: number;
  } = {},
): Promise<PreparedImages> {
  const { signal, maxRows = Number.POSITIVE_INFINITY, ...limits } = options;
  const prepared: PreparedImages = { images: [], placeholders: [], sizes: [] };
  let rows = 0;
  for (const [index, input] of inputs.entries()) {
    signal?.throwIfAborted();
    const { width, height, data } = await decodeImage(input, { ...limits, index });
    const { resizes, tiles } = preprocessor.cut(width, height, index);
    const placeholder = preprocessor.placeholder(width, height);
    for (const part of placeholder) rows += typeof part === "number" ? part : 0;
    if (rows > maxRows) {
      throw new FoveaError(
        "ERR_FOVEA_CONTEXT_LENGTH",
        `Images 0 to ${index} alone have ${rows} rows; this model's context holds ${maxRows}. Use fewer or smaller images.`,
      );
    }
    let picture = { width, height, data };
    for (const size of resizes) {
      if (size.width === picture.width && size.height === picture.height) continue;
      const filter = (tiles[0] as PreprocessSpec).filter;
      picture = { ...size, data: await resize(picture.data, picture.width, picture.height, { ...size, filter }) };
    }
    for (const tile of tiles) {
      signal?.throwIfAborted();
      const pixels = await preprocess(picture.data, picture.width, picture.height, tile);
      prepared.images.push({ pixels, width: tile.window.width, height: tile.window.height });
    }
    prepared.placeholders.push(placeholder);
    prepared.sizes.push({ width, height });
  }
  return prepared;
}
