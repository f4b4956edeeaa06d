// Typed reading of preprocessor_config.json, whose values come from files nobody has checked.
import { FoveaError } from "../errors.js";
import type { JsonObject } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import type { PreprocessSpec } from "../native/binding.js";

/** No tower takes larger images; keeps products of two sides well inside integers. */
const maxSide = 16384;

/** Published models have 36 sizes at most. */
const maxPinpoints = 1024;

/** One number for each of red, green and blue. */
type Channels = [number, number, number];

/** Pillow's codes of its filters. */
const filters: readonly PreprocessSpec["filter"][] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

/** A boolean, or `fallback` where the file is silent. */
export function readFlag(config: JsonObject, key: string, fallback: boolean): boolean {
  const value = config[key] ?? fallback;
  if (typeof value !== "boolean") throw wrong(key, value, "true or false");
  return value;
}

/** A finite number, or `fallback`. */
export function readNumber(config: JsonObject, key: string, fallback: number): number {
  const value = config[key] ?? fallback;
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(key, value, "a number");
  return value;
}

/** One number per colour channel, or `fallback`. */
export function readChannels(config: JsonObject, key: string, fallback: Channels): Channels {
  const value = config[key] ?? fallback;
  if (!Array.isArray(value) || value.length !== 3 || !value.every((item) => Number.isFinite(item))) {
    throw wrong(key, value, "three numbers");
  }
  return value as Channels;
}

/** A filter by Pillow's code. */
export function readFilter(config: JsonObject, key: string, fallback: number): PreprocessSpec["filter"] {
  const filter = filters[readNumber(config, key, fallback)];
  if (filter === undefined) throw wrong(key, config[key], "one of Pillow's codes 0 to 5");
  return filter;
}

/** A length in pixels. */
export function readSide(value: unknown, key: string): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > maxSide) {
    throw wrong(key, value, `an integer from 1 to ${maxSide}`);
  }
  return value as number;
}

/** The id of a token. */
export function readTokenId(value: unknown, key: string): number {
  if (!Number.isInteger(value) || (value as number) < 0) throw wrong(key, value, "the id of a token", "config.json");
  return value as number;
}

/** `{height, width}`, or an integer for a square. */
export function readBox(value: unknown, key: string): { width: number; height: number } {
  if (isRecord(value)) {
    return { width: readSide(value.width, `${key}.width`), height: readSide(value.height, `${key}.height`) };
  }
  const side = readSide(value, key);
  return { width: side, height: side };
}

/** A list of pairs of sides, or null where the file is silent. */
export function readPinpoints(config: JsonObject, key: string): [number, number][] | null {
  const value = config[key];
  if (value == null) return null;
  const isPair = (item: unknown) => Array.isArray(item) && item.length === 2;
  if (!Array.isArray(value) || value.length < 1 || value.length > maxPinpoints || !value.every(isPair)) {
    throw wrong(key, value, `1 to ${maxPinpoints} pairs [height, width]`);
  }
  return value.map(([height, width]) => [readSide(height, key), readSide(width, key)]);
}

/** Mean and deviation of SigLIP's towers and others that see pixels from -1 to 1. */
export const half: [number, number, number] = [0.5, 0.5, 0.5];

/** (value * rescale - mean) / std as value * scale + offset. */
export function readScaling(
  config: JsonObject,
  defaultMean: Channels,
  defaultStd: Channels,
): Pick<PreprocessSpec, "scale" | "offset"> {
  const rescale = readFlag(config, "do_rescale", true) ? readNumber(config, "rescale_factor", 1 / 255) : 1;
  if (!readFlag(config, "do_normalize", true)) return { scale: [rescale, rescale, rescale], offset: [0, 0, 0] };
  const mean = readChannels(config, "image_mean", defaultMean);
  const std = readChannels(config, "image_std", defaultStd);
  if (std.includes(0)) {
    throw new FoveaError("ERR_FOVEA_MODEL_FORMAT", 'preprocessor_config.json: "image_std" holds a zero.');
  }
  const [r, g, b] = std;
  return { scale: [rescale / r, rescale / g, rescale / b], offset: [-mean[0] / r, -mean[1] / g, -mean[2] / b] };
}

function wrong(key: string, value: unknown, expected: string, file = "preprocessor_config.json"): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_MODEL_FORMAT",
    `${file}: "${key}" is ${JSON.stringify(value)?.slice(0, 80)}; expected ${expected}.`,
  );
}
