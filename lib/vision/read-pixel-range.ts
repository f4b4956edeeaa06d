import { FoveaError } from "../errors.js";
import type { JsonObject } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import { readNumber } from "./config-fields.js";

/** Fewest and most pixels of what is resized. */
export interface PixelRange {
  min: number;
  max: number;
}

/** "size" of a Qwen-VL processor's settings; min_pixels and max_pixels of older files win over it, if `old`. */
export function readPixelRange(config: JsonObject, fallback: PixelRange, old = true): PixelRange {
  const size = isRecord(config.size) ? config.size : {};
  const read = (name: string, edge: string, otherwise: number) => {
    const isOld = old && config[name] != null;
    const key = isOld ? name : edge;
    return readNumber({ [key]: isOld ? config[name] : (size[edge] ?? size[name]) }, key, otherwise);
  };
  const min = read("min_pixels", "shortest_edge", fallback.min);
  const max = read("max_pixels", "longest_edge", fallback.max);
  if (min >= 1 && min <= max) return { min, max };
  throw new FoveaError(
    "ERR_FOVEA_MODEL_FORMAT",
    `preprocessor_config.json: pictures of ${min} to ${max} pixels; expected two numbers from 1, the first not larger. ` +
      'Check "size", "min_pixels" and "max_pixels".',
  );
}
