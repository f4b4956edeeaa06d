import { FoveaError } from "../errors.js";
import type { NativeBinding, NativePixels, PreprocessSpec } from "../native/binding.js";
import { type DecodeOptions, decodeImage } from "./decode.js";
import type { ImageInput } from "./image-input.js";
import type { ImagePreprocessor } from "./image-preprocessor.js";
import { type ChosenVideo, prepareVideo } from "./prepare-video.js";

/** Images ready for the vision tower. */
export interface PreparedImages {
  /** What the tower sees: one or several images of each picture or video, or one in all its tiles or moments. */
  images: NativePixels[];
  /** What each placeholder of a picture or video becomes, for `expandImages`. */
  placeholders: (string | number)[][];
}

/** Decodes and preprocesses images one after another, so that only one is held in full size at a time. */
export async function prepareImages(
  inputs: readonly (ImageInput | ChosenVideo)[],
  preprocessor: ImagePreprocessor,
  { pad, preprocess, resize }: Pick<NativeBinding, "pad" | "preprocess" | "resize">,
  options: Pick<DecodeOptions, "maxBytes" | "maxPixels"> & {
    signal?: AbortSignal | undefined;
    /** Refuse images with more rows together, before there are pixels of them all. */
    maxRows?: number;
  } = {},
): Promise<PreparedImages> {
  const { signal, maxRows = Number.POSITIVE_INFINITY, ...limits } = options;
  const prepared: PreparedImages = { images: [], placeholders: [] };
  const pictures = inputs.filter((input) => !isVideo(input));
  const family = preprocessor.among?.(pictures.length) ?? preprocessor;
  let rows = 0;
  const place = (placeholders: (string | number)[][], name: string) => {
    for (const part of placeholders.flat()) rows += typeof part === "number" ? part : 0;
    if (rows > maxRows) {
      throw new FoveaError(
        "ERR_FOVEA_CONTEXT_LENGTH",
        `${name} and what comes before have ${rows} rows; this model's context holds ${maxRows}. Use fewer or smaller ` +
          "images, or fewer frames.",
      );
    }
    prepared.placeholders.push(...placeholders);
  };
  let index = -1;
  for (const input of inputs) {
    signal?.throwIfAborted();
    if (isVideo(input)) {
      place(input.placeholders, `Video ${input.index}`);
      prepared.images.push(...(await prepareVideo(input, { preprocess, resize }, signal)));
      continue;
    }
    index++;
    const { width, height, data } = await decodeImage(input, { ...limits, index });
    const cut = family.cut(width, height, index);
    place([family.placeholder(width, height)], `Image ${index}`);
    let picture = { width, height, data };
    if (cut.pad !== undefined) {
      picture = { width: cut.pad.width, height: cut.pad.height, data: await pad(data, width, height, cut.pad) };
    }
    const unresized = picture;
    for (const size of cut.resizes) {
      if (size.width === picture.width && size.height === picture.height) continue;
      const filter = (cut.tiles[0] as PreprocessSpec).filter;
      picture = { ...size, data: await resize(picture.data, picture.width, picture.height, { ...size, filter }) };
    }
    const tiles: NativePixels[] = [];
    for (const tile of cut.tiles) {
      signal?.throwIfAborted();
      const from = tile.isUnresized ? unresized : picture;
      const pixels = await preprocess(from.data, from.width, from.height, tile);
      tiles.push({ pixels, width: tile.window.width, height: tile.window.height });
    }
    prepared.images.push(...(cut.isOneImage ? [{ ...joinTiles(tiles), picture: { width, height } }] : tiles));
  }
  return prepared;
}

function isVideo(input: ImageInput | ChosenVideo): input is ChosenVideo {
  return typeof input === "object" && "placeholders" in input;
}

/** Tiles of one size, one after another. */
export function joinTiles(tiles: readonly NativePixels[]): NativePixels {
  const pixels = new Float32Array(tiles.reduce((sum, tile) => sum + tile.pixels.length, 0));
  let at = 0;
  for (const tile of tiles) {
    pixels.set(tile.pixels, at);
    at += tile.pixels.length;
  }
  const { width = 0, height = 0 } = tiles[0] ?? {};
  return { pixels, width, height };
}
