// InternVL: a picture is stretched to the grid of tiles whose proportions are nearest its own, and seen once more as a whole.
import { FoveaError } from "../errors.js";
import type { PreprocessSpec } from "../native/binding.js";
import { noLimit } from "../prune/picture-limit.js";
import { checkResized } from "./check-resized.js";
import { clipMean, clipStd } from "./clip.js";
import { readBox, readFilter, readNumber, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor, PictureCut } from "./image-preprocessor.js";
import { requireLeast, requireLimits } from "./require-limits.js";
import { allGrids, bestGrid, mostTiles } from "./tile-grids.js";

/** What GotOcr2ImageProcessor of transformers does for InternVLProcessor, and how that writes an image. */
export function createInternVlPreprocessor(config: ImageConfig, limit = noLimit): ImagePreprocessor {
  const { preprocessor, processor, model } = config;
  const { width: tile, height } = readBox(preprocessor.size ?? 384, "size");
  if (tile !== height) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `preprocessor_config.json: "size" is ${tile} x ${height}; expected a square.`,
    );
  }
  const fewest = readCount("min_patches", 1);
  // The whole is seen besides, unless it is the only tile.
  const grids = allGrids(fewest, Math.min(readCount("max_patches", 12), Math.max(1, limit.tiles - 1)));
  const filter = readFilter(preprocessor, "resample", 3);
  const scaling = readScaling(preprocessor, clipMean, clipStd);
  const rows = readSide(processor.image_seq_length ?? model.image_seq_length ?? 256, "image_seq_length");

  function readCount(key: string, fallback: number): number {
    const count = readNumber(preprocessor, key, fallback);
    if (Number.isInteger(count) && count >= 1 && count <= mostTiles) return count;
    throw new FoveaError(
      "ERR_FOVEA_MODEL_FORMAT",
      `preprocessor_config.json: "${key}" is ${count}; expected an integer from 1 to ${mostTiles}.`,
    );
  }

  return {
    cut(width, height, index = 0) {
      const { across, down } = bestGrid({ width, height }, grids, tile);
      const size = { width: across * tile, height: down * tile };
      checkResized({ width, height }, size, index);
      const tiles: PictureCut["tiles"] = [];
      for (let top = 0; top < size.height; top += tile) {
        for (let left = 0; left < size.width; left += tile) {
          tiles.push({ resize: null, filter, window: { left, top, width: tile, height: tile }, ...scaling });
        }
      }
      const whole: PreprocessSpec = {
        resize: width === tile && height === tile ? null : { width: tile, height: tile },
        filter,
        window: { left: 0, top: 0, width: tile, height: tile },
        ...scaling,
      };
      if (tiles.length > 1) tiles.push({ ...whole, isUnresized: true });
      return { resizes: [size], tiles };
    },
    placeholder(width, height) {
      const { across, down } = bestGrid({ width, height }, grids, tile);
      const images = across * down > 1 ? across * down + 1 : 1;
      return ["<img>", ...Array<number>(images).fill(rows), "</img>"];
    },
    within(smaller) {
      requireLimits(smaller, ["tiles"]);
      requireLeast("tiles", smaller, fewest === 1 ? 1 : fewest + 1);
      return createInternVlPreprocessor(config, smaller);
    },
  };
}
