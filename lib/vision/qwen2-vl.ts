// Qwen2-VL, Qwen2.5-VL and Qwen3-VL: a picture keeps its proportions, and its sides become multiples of what the merger takes.
import { FoveaError } from "../errors.js";
import type { JsonObject } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import { noLimit } from "../prune/picture-limit.js";
import { checkResized } from "./check-resized.js";
import { clipMean, clipStd } from "./clip.js";
import { readFilter, readFlag, readNumber, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor, Size } from "./image-preprocessor.js";
import { requireLeast, requireLimits } from "./require-limits.js";

/** Longest to shortest side of a picture that transformers takes. */
const maxRatio = 200;

/** What Qwen2VLImageProcessor of transformers does, and how the processors of these models write an image. */
export function createQwen2VlPreprocessor(config: ImageConfig, limit = noLimit): ImagePreprocessor {
  const { preprocessor } = config;
  const resizes = readFlag(preprocessor, "do_resize", true);
  const { min, max } = readPixels(preprocessor);
  const most = Math.min(max, limit.pixels);
  const patch = readSide(preprocessor.patch_size ?? 14, "patch_size");
  const merge = readSide(preprocessor.merge_size ?? 2, "merge_size");
  const filter = readFilter(preprocessor, "resample", 3);
  const scaling = readScaling(preprocessor, clipMean, clipStd);
  const unit = patch * merge;

  function resized(image: Size, index: number): Size {
    const { width, height } = image;
    if (!resizes && width % unit === 0 && height % unit === 0) return image;
    if (!resizes || Math.max(width, height) / Math.min(width, height) > maxRatio) {
      throw new FoveaError(
        "ERR_FOVEA_IMAGE",
        `Image ${index}: ${width} x ${height} does not fit this model, which takes ` +
          (resizes
            ? `sides that differ at most ${maxRatio} times.`
            : `multiples of ${unit} pixels and resizes nothing.`) +
          " Crop it.",
      );
    }
    const whole = smartResize(image, unit, Math.min(min, most), most);
    const part = (side: number) => Math.max(1, Math.round((side / unit) * limit.side)) * unit;
    const size = { width: part(whole.width), height: part(whole.height) };
    checkResized(image, size, index);
    return size;
  }

  return {
    cut(width, height, index = 0) {
      const size = resized({ width, height }, index);
      const isSame = size.width === width && size.height === height;
      const window = { left: 0, top: 0, ...size };
      return { resizes: [], tiles: [{ resize: isSame ? null : size, filter, window, ...scaling }] };
    },
    placeholder(width, height) {
      const size = resized({ width, height }, 0);
      return [(size.width / unit) * (size.height / unit)];
    },
    within(smaller) {
      requireLimits(smaller, ["side", "pixels"]);
      requireLeast("pixels", smaller, unit ** 2);
      return createQwen2VlPreprocessor(config, smaller);
    },
  };
}

/** Sides that are multiples of `unit`, in the picture's proportions and between so many pixels, as nearly as that goes. */
function smartResize({ width, height }: Size, unit: number, min: number, max: number): Size {
  const nearest = { width: roundHalfEven(width / unit) * unit, height: roundHalfEven(height / unit) * unit };
  const pixels = nearest.width * nearest.height;
  if (pixels > max) {
    const shrink = Math.sqrt((height * width) / max);
    const side = (length: number) => Math.max(unit, Math.floor(length / shrink / unit) * unit);
    return { width: side(width), height: side(height) };
  }
  if (pixels >= min) return nearest;
  const grow = Math.sqrt(min / (height * width));
  const side = (length: number) => Math.ceil((length * grow) / unit) * unit;
  return { width: side(width), height: side(height) };
}

/** Python's round. */
function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  if (value - low === 0.5) return low % 2 === 0 ? low : low + 1;
  return Math.round(value);
}

/** Fewest and most pixels of a resized picture: min_pixels and max_pixels of older files win over "size". */
function readPixels(config: JsonObject): { min: number; max: number } {
  const size = isRecord(config.size) ? config.size : {};
  const read = (old: string, edge: string, fallback: number) => {
    const key = config[old] != null ? old : edge;
    return readNumber({ [key]: config[old] ?? size[edge] ?? size[old] }, key, fallback);
  };
  const min = read("min_pixels", "shortest_edge", 56 * 56);
  const max = read("max_pixels", "longest_edge", 28 * 28 * 1280);
  if (min >= 1 && min <= max) return { min, max };
  throw new FoveaError(
    "ERR_FOVEA_MODEL_FORMAT",
    `preprocessor_config.json: pictures of ${min} to ${max} pixels; expected two numbers from 1, the first not larger. ` +
      'Check "size", "min_pixels" and "max_pixels".',
  );
}
