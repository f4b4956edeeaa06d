import sharp, { type Sharp } from "sharp";
import { FoveaError } from "../errors.js";
import { cmykToRgb } from "./cmyk-to-rgb.js";
import { type Fail, formatOf, type Limits, readImageFile, shorten } from "./image-file.js";
import type { ImageInput, RawImage } from "./image-input.js";

/** RGB pixels, 3 bytes each, row by row from the top. */
export interface DecodedImage {
  width: number;
  height: number;
  /** (height, width, 3) */
  data: Uint8Array;
}

/** Options of `decodeImage`. */
export interface DecodeOptions {
  /** Position in the request, for error messages. Default 0. */
  index?: number;
  /** What it is called in error messages. Default "Image" and its position. */
  name?: string;
  /** Largest encoded image in bytes. Default 64 MiB. */
  maxBytes?: number;
  /** Largest decoded image in pixels. Default 64 Mi. */
  maxPixels?: number;
}

/**
 * Decodes an image to the RGB pixels that Pillow's `convert("RGB")` gives: EXIF rotation applied, alpha dropped (not
 * blended), colour profiles ignored. Runs on libuv's worker threads.
 */
export async function decodeImage(image: ImageInput, options: DecodeOptions = {}): Promise<DecodedImage> {
  const { index = 0, name = `Image ${index}` } = options;
  const limits: Limits = { maxBytes: 64 * 1024 * 1024, maxPixels: 64 * 1024 * 1024, ...options };
  const fail = (reason: string, cause?: unknown): FoveaError =>
    new FoveaError("ERR_FOVEA_IMAGE", `${name}: ${reason}.`, { cause });
  if (typeof image === "string" || image instanceof Uint8Array) {
    return decodeBytes(await readImageFile(image, limits, fail), limits, fail);
  }
  return decodeRaw(image, limits, fail);
}

async function decodeBytes(bytes: Uint8Array, limits: Limits, fail: Fail): Promise<DecodedImage> {
  if (formatOf(bytes) === null) {
    const got = bytes.length === 0 ? "it is empty" : "its first bytes are of no known format";
    throw fail(`${got}; expected JPEG, PNG, WebP or GIF. Convert the image first`);
  }
  // "error" refuses truncated and damaged data but lives with harmless warnings, as Pillow does.
  const pipeline = sharp(bytes, { failOn: "error", limitInputPixels: false, ignoreIcc: true, pages: 1 });
  try {
    const { width, height, space } = await pipeline.metadata();
    checkPixels(width, height, limits, fail);
    return await (space === "cmyk" ? decodeCmyk(pipeline) : decodeRgb(pipeline));
  } catch (cause) {
    if (FoveaError.isInstance(cause)) throw cause;
    throw fail(`it is damaged or incomplete (${shorten((cause as Error).message.trim())})`, cause);
  }
}

async function decodeRgb(pipeline: Sharp): Promise<DecodedImage> {
  const { data, info } = await pipeline
    .autoOrient()
    .removeAlpha()
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

async function decodeCmyk(pipeline: Sharp): Promise<DecodedImage> {
  const { data: ink, info } = await pipeline
    .autoOrient()
    .pipelineColourspace("cmyk")
    .toColourspace("cmyk")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: await cmykToRgb(ink) };
}

async function decodeRaw(image: RawImage, limits: Limits, fail: Fail): Promise<DecodedImage> {
  const { width, height, data } = image ?? {};
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw fail("expected a path, a data URL, the bytes of a file, or {width, height, data} with bytes as data");
  }
  checkPixels(width, height, limits, fail);
  const channels = data.length / (width * height);
  if (channels !== 3 && channels !== 4) {
    throw fail(
      `${width} x ${height} pixels need ${width * height * 3} (RGB) or ${width * height * 4} (RGBA) bytes of data, ` +
        `got ${data.length}`,
    );
  }
  if (channels === 3) return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  const rgb = await sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
    .removeAlpha()
    .raw()
    .toBuffer();
  return { width, height, data: rgb };
}

/** Refuses sizes that nothing is decoded to. */
export function checkPixels(width: number, height: number, limits: Limits, fail: Fail): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw fail(`width and height must be positive integers, got ${width} x ${height}`);
  }
  if (width * height > limits.maxPixels) {
    throw fail(`${width} x ${height} pixels are more than the ${limits.maxPixels} allowed. Scale the image down first`);
  }
}
