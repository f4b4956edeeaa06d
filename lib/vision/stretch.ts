// Pictures that are stretched to the tower's square, whatever their proportions are.
import type { JsonObject } from "../hub/model-file.js";
import { checkResized } from "./check-resized.js";
import { half, readBox, readFilter, readFlag, readScaling } from "./config-fields.js";
import type { ImagePreprocessor } from "./image-preprocessor.js";
import { requireLimits } from "./require-limits.js";

/** What SiglipImageProcessor of transformers does, and those that are like it. `filter`: Pillow's code of the default. */
export function createStretch(
  preprocessor: JsonObject,
  defaultFilter: number,
): Pick<ImagePreprocessor, "cut" | "within"> {
  const size = readFlag(preprocessor, "do_resize", true) ? readBox(preprocessor.size ?? 224, "size") : null;
  const filter = readFilter(preprocessor, "resample", defaultFilter);
  const scaling = readScaling(preprocessor, half, half);
  return {
    cut(width, height, index = 0) {
      const seen = size ?? { width, height };
      checkResized({ width, height }, seen, index);
      const isSame = seen.width === width && seen.height === height;
      const window = { left: 0, top: 0, ...seen };
      return { resizes: [], tiles: [{ resize: isSame ? null : seen, filter, window, ...scaling }] };
    },
    within(limit) {
      requireLimits(limit, []);
      return this as ImagePreprocessor;
    },
  };
}
