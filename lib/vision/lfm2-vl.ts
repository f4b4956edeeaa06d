// LFM2-VL: a small picture keeps its proportions; a large one is stretched to a grid of tiles, and seen once more as a whole.
import { FoveaError } from "../errors.js";
import type { PreprocessSpec } from "../native/binding.js";
import { noLimit } from "../prune/picture-limit.js";
import { checkResized } from "./check-resized.js";
import { half, readFilter, readFlag, readNumber, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor, PictureCut, Size } from "./image-preprocessor.js";
import { requireLeast, requireLimits } from "./require-limits.js";
import { roundHalfEven } from "./round-half-even.js";
import { smartResize } from "./smart-resize.js";
import { allGrids, bestGrid, mostTiles } from "./tile-grids.js";

/** Rows of one picture that is not cut; published models make 256 at most. */
const mostTokens = 16384;

/** What Lfm2VlImageProcessor of transformers does, and how Lfm2VlProcessor writes an image. */
export function createLfm2VlPreprocessor(config: ImageConfig, limit = noLimit): ImagePreprocessor {
  const { preprocessor } = config;
  const patch = readSide(preprocessor.encoder_patch_size ?? 16, "encoder_patch_size");
  const unit = patch * readSide(preprocessor.downsample_factor ?? 2, "downsample_factor");
  const tile = readSide(preprocessor.tile_size ?? 512, "tile_size");
  if (tile % unit !== 0) {
    throw wrong("tile_size", tile, `a multiple of ${unit}, the pixels that become one row`);
  }
  const most = Math.min(readCount("max_image_tokens", 256, mostTokens), Math.floor(limit.pixels / unit ** 2));
  const least = Math.min(readCount("min_image_tokens", 64, mostTokens), most);
  const tolerance = readNumber(preprocessor, "max_pixels_tolerance", 2);
  const splits = readFlag(preprocessor, "do_image_splitting", true);
  const fewest = splits ? readCount("min_tiles", 2, mostTiles) : 1;
  const allowed = splits ? readCount("max_tiles", 10, mostTiles) : 1;
  if (fewest > allowed) throw wrong("min_tiles", fewest, `at most "max_tiles", ${allowed}`);
  const seesWhole = readFlag(preprocessor, "use_thumbnail", true);
  // The whole is seen besides, unless it is the only tile. Where no grid is left, no picture is cut.
  const grids = allGrids(fewest, Math.min(allowed, limit.tiles - (seesWhole ? 1 : 0)));
  const isCut = grids.length > 0 && !(fewest === 1 && allowed === 1);
  const filter = readFilter(preprocessor, "resample", 2);
  const scaling = readScaling(preprocessor, half, half);

  function readCount(key: string, fallback: number, top: number): number {
    const count = readNumber(preprocessor, key, fallback);
    if (Number.isInteger(count) && count >= 1 && count <= top) return count;
    throw wrong(key, count, `an integer from 1 to ${top}`);
  }

  /** Sizes of the grid, none for a picture that is not cut, and of the whole, none where it is not seen. */
  function geometry({ width, height }: Size): { grid: Size | null; whole: Size | null } {
    const nearest = (side: number) => Math.max(patch, roundHalfEven(side / unit) * unit);
    const whole = smartResize({ width, height }, unit, { min: least * unit ** 2, max: most * unit ** 2 });
    const isLarge = nearest(width) * nearest(height) > most * unit ** 2 * tolerance;
    if (!isLarge || !isCut) return { grid: null, whole };
    const { across, down } = bestGrid({ width, height }, grids, tile);
    const grid = { width: across * tile, height: down * tile };
    return { grid, whole: seesWhole && across * down > 1 ? whole : null };
  }

  const rowsOf = ({ width, height }: Size) => (width / unit) * (height / unit);

  return {
    cut(width, height, index = 0) {
      const { grid, whole } = geometry({ width, height });
      const tiles: PictureCut["tiles"] = [];
      if (grid !== null) checkResized({ width, height }, grid, index);
      for (let top = 0; top < (grid?.height ?? 0); top += tile) {
        for (let left = 0; left < (grid?.width ?? 0); left += tile) {
          tiles.push({ resize: null, filter, window: { left, top, width: tile, height: tile }, ...scaling });
        }
      }
      if (whole === null) return { resizes: grid === null ? [] : [grid], tiles };
      checkResized({ width, height }, whole, index);
      const isSame = whole.width === width && whole.height === height;
      const seen: PreprocessSpec = {
        resize: isSame ? null : whole,
        filter,
        window: { left: 0, top: 0, ...whole },
        ...scaling,
      };
      return grid === null
        ? { resizes: [], tiles: [seen] }
        : { resizes: [grid], tiles: [...tiles, { ...seen, isUnresized: true }] };
    },
    placeholder(width, height) {
      const { grid, whole } = geometry({ width, height });
      if (grid === null || rowsOf(grid) === rowsOf({ width: tile, height: tile })) {
        return ["<|image_start|>", rowsOf(grid ?? (whole as Size)), "<|image_end|>"];
      }
      const parts: (string | number)[] = [];
      for (let row = 1; row <= grid.height / tile; row++) {
        for (let column = 1; column <= grid.width / tile; column++) {
          const start = parts.length === 0 ? "<|image_start|>" : "";
          parts.push(`${start}<|img_row_${row}_col_${column}|>`, rowsOf({ width: tile, height: tile }));
        }
      }
      if (whole !== null) parts.push("<|img_thumbnail|>", rowsOf(whole));
      return [...parts, "<|image_end|>"];
    },
    within(smaller) {
      requireLimits(smaller, ["tiles", "pixels"]);
      requireLeast("pixels", smaller, unit ** 2);
      return createLfm2VlPreprocessor(config, smaller);
    },
  };
}

function wrong(key: string, value: number, expected: string): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_MODEL_FORMAT",
    `preprocessor_config.json: "${key}" is ${value}; expected ${expected}.`,
  );
}
