import { open, stat } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { FoveaError } from "../errors.js";

/** How large an encoded file, and what is decoded of it, may be. */
export interface Limits {
  maxBytes: number;
  maxPixels: number;
}

/** Makes an error that says which image is meant. */
export type Fail = (reason: string, cause?: unknown) => FoveaError;

/** The bytes of an encoded image, checked: of a data URL, of a file, or as they are. */
export async function readImageFile(source: string | Uint8Array, limits: Limits, fail: Fail): Promise<Uint8Array> {
  const bytes = typeof source === "string" ? await readSource(source, limits, fail) : source;
  if (bytes.length > limits.maxBytes) throw tooManyBytes(bytes.length, limits, fail);
  return bytes;
}

async function readSource(source: string, limits: Limits, fail: Fail): Promise<Uint8Array> {
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
export function formatOf(bytes: Uint8Array): "jpeg" | "png" | "gif" | "webp" | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 12)).toString("latin1");
  if (head.startsWith("\xff\xd8\xff")) return "jpeg";
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (head.startsWith("GIF87a") || head.startsWith("GIF89a")) return "gif";
  if (head.startsWith("RIFF") && head.slice(8) === "WEBP") return "webp";
  return null;
}

function tooManyBytes(bytes: number, limits: Limits, fail: Fail): FoveaError {
  return fail(`${bytes} bytes are more than the ${limits.maxBytes} allowed. Scale or compress the image first`);
}

/** For error messages. */
export function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
