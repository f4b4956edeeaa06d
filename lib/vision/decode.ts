import { open, stat } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import sharp, { type Sharp } from "sharp";
import { FoveaError } from "../errors.js";
import { cmykToRgb } from "./cmyk-to-rgb.js";
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
  /** Largest encoded image in bytes. Default 64 MiB. */
  maxBytes?: number;
  /** Largest decoded image in pixels. Default 64 Mi. */
  maxPixels?: number;
}

type Limits = Required<DecodeOptions>;

/**
 * Decodes an image to the RGB pixels that Pillow's `convert("RGB")` gives: EXIF rotation applied, alpha dropped (not
 * blended), colour profiles ignored. Runs on libuv's worker threads.
 */
export async function decodeImage(image: ImageInput, options: DecodeOptions = {}): Promise<DecodedImage> {
  const limits: Limits = { index: 0, maxBytes: 64 * 1024 * 1024, maxPixels: 64 * 1024 * 1024, ...options };
  const fail = (reason: string, cause?: unknown): FoveaError =>
    new FoveaError("ERR_FOVEA_IMAGE", `Image ${limits.index}: ${reason}.`, { cause });
  if (typeof image === "string" || image instanceof Uint8Array) {
    const bytes = typeof image === "string" ? await readImage(image, limits, fail) : image;
    return decodeBytes(bytes, limits, fail);
  }
  return decodeRaw(image, limits, fail);
}

type Fail = (reason: string, cause?: unknown) => FoveaError;

/** Bytes of a data URL or a file. */
async function readImage(source: string, limits: Limits, fail: Fail): Promise<Uint8Array> {
  if (/^https?:/i.test(source)) {
    throw fail(`${shorten(source)} is a web address, and Fovea does not fetch. Fetch it and pass the bytes`);
  }
  if (/^data:/i.test(source)) return readDataUrl(source, limits, fail);
  try {
    const found = await stat(source);
    if (!found.isFile()) throw fail(`${shorten(source)} is not a regular file`);
    if (found.size > limits.maxBytes) throw tooManyBytes(found.size, limits, fail);
    const file = await open(source, "r");
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (FoveaError.isInstance(cause)) throw cause;
    throw fail(`cannot read ${shorten(source)} (${(cause as NodeJS.ErrnoException).code ?? cause})`, cause);
  }
}

async function readDataUrl(source: string, limits: Limits, fail: Fail): Promise<Uint8Array> {
  const comma = source.indexOf(",");
  if (comma === -1 || !/;base64$/i.test(source.slice(0, comma))) {
    throw fail('a data URL must look like "data:image/png;base64,...."');
  }
  const size = Math.floor(((source.length - comma - 1) * 3) / 4);
  if (size > limits.maxBytes) throw tooManyBytes(size, limits, fail);
  return decodeBase64(source.slice(comma + 1));
}

/** Decodes in slices of a few milliseconds, between which the event loop turns. */
async function decodeBase64(text: string): Promise<Uint8Array> {
  const slice = 512 * 1024; // characters; a multiple of 4, so that slices end between bytes
  const parts: Buffer[] = [];
  for (let start = 0; start < text.length; start += slice) {
    if (start > 0) await setImmediate();
    const part = Buffer.from(text.slice(start, start + slice), "base64");
    // Line breaks or early padding shift the groups of four: only the whole text can then be decoded.
    const isWhole = part.length === (slice / 4) * 3;
    if (!isWhole && start + slice < text.length) return Buffer.from(text, "base64");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The formats we test, by their first bytes, so that no other decoder ever sees untrusted input. */
function formatOf(bytes: Uint8Array): "jpeg" | "png" | "gif" | "webp" | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 12)).toString("latin1");
  if (head.startsWith("\xff\xd8\xff")) return "jpeg";
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (head.startsWith("GIF87a") || head.startsWith("GIF89a")) return "gif";
  if (head.startsWith("RIFF") && head.slice(8) === "WEBP") return "webp";
  return null;
}

async function decodeBytes(bytes: Uint8Array, limits: Limits, fail: Fail): Promise<DecodedImage> {
  if (bytes.length > limits.maxBytes) throw tooManyBytes(bytes.length, limits, fail);
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

function checkPixels(width: number, height: number, limits: Limits, fail: Fail): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw fail(`width and height must be positive integers, got ${width} x ${height}`);
  }
  if (width * height > limits.maxPixels) {
    throw fail(`${width} x ${height} pixels are more than the ${limits.maxPixels} allowed. Scale the image down first`);
  }
}

function tooManyBytes(bytes: number, limits: Limits, fail: Fail): FoveaError {
  return fail(`${bytes} bytes are more than the ${limits.maxBytes} allowed. Scale or compress the image first`);
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
