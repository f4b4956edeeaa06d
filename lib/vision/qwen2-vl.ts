// Qwen2-VL, Qwen2.5-VL and Qwen3-VL: a picture keeps its proportions, and its sides become multiples of what the merger takes.
import { FoveaError } from "../errors.js";
import { noLimit } from "../prune/picture-limit.js";
import { checkResized } from "./check-resized.js";
import { clipMean, clipStd } from "./clip.js";
import { readFilter, readFlag, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor, Size } from "./image-preprocessor.js";
import { createQwenVideoPreprocessor } from "./qwen-video.js";
import { readPixelRange } from "./read-pixel-range.js";
import { requireLeast, requireLimits } from "./require-limits.js";
import { maxRatio, smartResize } from "./smart-resize.js";

/** What Qwen2VLImageProcessor of transformers does, and how the processors of these models write an image. */
export function createQwen2VlPreprocessor(config: ImageConfig, limit = noLimit): ImagePreprocessor {
  const { preprocessor } = config;
  const resizes = readFlag(preprocessor, "do_resize", true);
  const { min, max } = readPixelRange(preprocessor, { min: 56 * 56, max: 28 * 28 * 1280 });
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
    const whole = smartResize(image, unit, { min: Math.min(min, most), max: most });
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
    video: createQwenVideoPreprocessor(config, limit),
  };
}
