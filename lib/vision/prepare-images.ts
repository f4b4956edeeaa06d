import type { NativeBinding, NativePixels } from "../native/binding.js";
import { type DecodeOptions, decodeImage } from "./decode.js";
import type { ImageInput } from "./image-input.js";
import type { ImagePreprocessor } from "./image-preprocessor.js";

/** Images ready for the vision tower. */
export interface PreparedImages {
  images: NativePixels[];
  /** Visual rows of each image, for `expandImages`. */
  rows: number[];
  /** Width and height of each image before preprocessing. */
  sizes: { width: number; height: number }[];
}

/** Decodes and preprocesses images one after another, so that only one is held in full size at a time. */
export async function prepareImages(
  inputs: readonly ImageInput[],
  preprocessor: ImagePreprocessor,
  preprocess: NativeBinding["preprocess"],
  options: Pick<DecodeOptions, "maxBytes" | "maxPixels"> & { signal?: AbortSignal | undefined } = {},
): Promise<PreparedImages> {
  const { signal, ...limits } = options;
  const prepared: PreparedImages = { images: [], rows: [], sizes: [] };
  for (const [index, input] of inputs.entries()) {
    signal?.throwIfAborted();
    const { width, height, data } = await decodeImage(input, { ...limits, index });
    const spec = preprocessor.spec(width, height, index);
    const pixels = await preprocess(data, width, height, spec);
    prepared.images.push({ pixels, width: spec.window.width, height: spec.window.height });
    prepared.rows.push(preprocessor.rows(width, height));
    prepared.sizes.push({ width, height });
  }
  return prepared;
}
