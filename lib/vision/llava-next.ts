// LLaVA-NeXT and LLaVA-OneVision: a picture is seen as a whole, and once more in the tiles of the grid that fits it best.
import { FoveaError } from "../errors.js";
import { isRecord } from "../is-record.js";
import type { PreprocessSpec } from "../native/binding.js";
import { noLimit, type PictureLimit } from "../prune/picture-limit.js";
import { checkResized } from "./check-resized.js";
import { clipMean, clipStd } from "./clip.js";
import { readBox, readChannels, readFilter, readPinpoints, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor, PictureCut, Size } from "./image-preprocessor.js";
import { requireLeast, requireLimits } from "./require-limits.js";

/** Tiles above and beside each other. */
interface Grid {
  down: number;
  across: number;
}

/** A grid of rows that is so much larger along each side than it may be is scaled down. */
const tolerated = 1.1;

/** Of one picture; published models make 36 at most. */
const maxTilesOfGrid = 1024;

/** What LlavaNextImageProcessor and LlavaOnevisionImageProcessor of transformers do, and how their processors count rows. */
export function createLlavaNextPreprocessor(config: ImageConfig, limit = noLimit): ImagePreprocessor {
  const { preprocessor, model, processor } = config;
  const isOneVision = model.model_type === "llava_onevision";
  const tile = readTile(config, isOneVision ? 384 : 224);
  const everyGrid = readGrids(config, tile) ?? (isOneVision ? allGrids(6) : nextGrids);
  const tilesOf = ({ down, across }: Grid) => 1 + down * across;
  const grids = everyGrid.filter((grid) => tilesOf(grid) <= limit.tiles);
  const side = readRowsOfSide(config, tile);
  const mostTiles = isOneVision
    ? readMostTiles(processor.vision_aspect_ratio ?? model.vision_aspect_ratio ?? "anyres_max_9")
    : Number.POSITIVE_INFINITY;
  const filter = readFilter(preprocessor, "resample", 3);
  const scaling = readScaling(preprocessor, clipMean, clipStd);
  const window = { left: 0, top: 0, width: tile, height: tile };
  const whole = ({ width, height }: Size): PreprocessSpec => ({
    resize: width === tile && height === tile ? null : { width: tile, height: tile },
    filter,
    window,
    ...scaling,
  });

  // Of several pictures OneVision sees each as a whole only, in a square of the mean colour.
  const fill = readChannels(preprocessor, "image_mean", clipMean).map((mean) =>
    Math.min(255, Math.max(0, Math.trunc(mean * 255))),
  );
  const squared: ImagePreprocessor = {
    cut(width, height, index = 0) {
      const edge = Math.max(width, height);
      checkResized({ width, height }, { width: edge, height: edge }, index);
      const left = Math.floor((edge - width) / 2);
      const top = Math.floor((edge - height) / 2);
      const pad = { left, top, width: edge, height: edge, fill: fill as [number, number, number] };
      return { pad, resizes: [], tiles: [whole({ width: edge, height: edge })], isOneImage: true };
    },
    placeholder: () => [side * side + 1],
    within,
  };
  const tiled: ImagePreprocessor = {
    cut(width, height, index = 0) {
      const { down, across } = bestGrid({ width, height }, grids, tile);
      const grid = { width: across * tile, height: down * tile };
      const size = fitInside({ width, height }, grid);
      checkResized({ width, height }, size, index);
      const left = Math.floor((grid.width - size.width) / 2);
      const top = Math.floor((grid.height - size.height) / 2);
      const tiles: PictureCut["tiles"] = [{ ...whole({ width, height }), isUnresized: true }];
      for (let row = 0; row < down; row++) {
        for (let column = 0; column < across; column++) {
          const place = { ...window, left: column * tile - left, top: row * tile - top };
          tiles.push({ resize: null, filter, window: place, ...scaling });
        }
      }
      return { resizes: [size], tiles, isOneImage: true };
    },
    placeholder(width, height) {
      const { down, across } = bestGrid({ width, height }, grids, tile);
      let rows = unpad({ width: across * side, height: down * side }, { width, height });
      const ratio = Math.sqrt((rows.height * rows.width) / (mostTiles * side ** 2));
      if (ratio > tolerated) {
        rows = { width: floorDivide(rows.width, ratio), height: floorDivide(rows.height, ratio) };
        if (Math.min(rows.width, rows.height) < 1) {
          throw new FoveaError(
            "ERR_FOVEA_IMAGE",
            `No rows would be left of an image of ${width} x ${height}. Crop it to a less extreme aspect ratio.`,
          );
        }
      }
      return [side * side + rows.height * (rows.width + 1)];
    },
    within,
    ...(isOneVision && { among: (pictures) => (pictures > 1 ? squared : tiled) }),
  };
  return grids.length > 0 ? tiled : squared;

  function within(smaller: PictureLimit): ImagePreprocessor {
    requireLimits(smaller, ["tiles"]);
    requireLeast("tiles", smaller, isOneVision ? 1 : Math.min(...everyGrid.map(tilesOf)));
    return createLlavaNextPreprocessor(config, smaller);
  }
}

/** Side of a tile in pixels. Where "size" and "crop_size" differ, transformers scales tiles once more after cutting. */
function readTile({ preprocessor }: ImageConfig, fallback: number): number {
  const size = preprocessor.size ?? fallback;
  const { width, height } = readBox(isRecord(size) && "shortest_edge" in size ? size.shortest_edge : size, "size");
  const crop = preprocessor.crop_size == null ? { width, height } : readBox(preprocessor.crop_size, "crop_size");
  if (width !== height || crop.width !== width || crop.height !== height) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `preprocessor_config.json: "size" is ${width} x ${height} and "crop_size" ${crop.width} x ${crop.height}; ` +
        "expected one square for both.",
    );
  }
  return width;
}

/** "image_grid_pinpoints", `[height, width]` in pixels each, as tiles. */
function readGrids({ preprocessor }: ImageConfig, tile: number): Grid[] | null {
  const pinpoints = readPinpoints(preprocessor, "image_grid_pinpoints");
  return (
    pinpoints?.map(([height, width]) => {
      const grid = { down: height / tile, across: width / tile };
      if (Number.isInteger(grid.down) && Number.isInteger(grid.across) && grid.down * grid.across <= maxTilesOfGrid) {
        return grid;
      }
      throw new FoveaError(
        "ERR_FOVEA_MODEL_FORMAT",
        `preprocessor_config.json: "image_grid_pinpoints" holds [${height}, ${width}]; expected multiples of the ` +
          `${tile} pixels of a tile, and at most ${maxTilesOfGrid} tiles.`,
      );
    }) ?? null
  );
}

/** Rows along the side of a tile. */
function readRowsOfSide({ processor, model }: ImageConfig, tile: number): number {
  const vision = isRecord(model.vision_config) ? model.vision_config : {};
  return Math.floor(tile / readSide(processor.patch_size ?? vision.patch_size, "patch_size"));
}

/** 9 of "anyres_max_9". */
function readMostTiles(value: unknown): number {
  const digits = /^anyres_max_(\d{1,4})$/.exec(String(value))?.[1];
  const most = Number(digits ?? 0);
  if (most >= 1 && most <= maxTilesOfGrid) return most;
  throw new FoveaError(
    "ERR_FOVEA_MODEL_UNSUPPORTED",
    `vision_aspect_ratio is ${JSON.stringify(value)}; expected "anyres_max_" and a number from 1 to ${maxTilesOfGrid}.`,
  );
}

/** Where LLaVA-NeXT's files say nothing. */
const nextGrids: Grid[] = [
  { down: 1, across: 2 },
  { down: 2, across: 1 },
  { down: 2, across: 2 },
  { down: 3, across: 1 },
  { down: 1, across: 3 },
];

/** Every grid of up to so many tiles along a side. */
function allGrids(most: number): Grid[] {
  return Array.from({ length: most ** 2 }, (_, i) => ({ down: Math.floor(i / most) + 1, across: (i % most) + 1 }));
}

/** The grid that shows most of the picture's own pixels, and of those that show as many the one that wastes least. */
function bestGrid({ width, height }: Size, grids: readonly Grid[], tile: number): Grid {
  let best = grids[0] as Grid;
  let mostShown = 0;
  let leastWasted = Number.POSITIVE_INFINITY;
  for (const grid of grids) {
    const scale = Math.min((grid.across * tile) / width, (grid.down * tile) / height);
    const pixels = Math.trunc(width * scale) * Math.trunc(height * scale);
    const shown = Math.min(pixels, width * height);
    const wasted = grid.across * grid.down * tile ** 2 - shown;
    if (shown > mostShown || (shown === mostShown && wasted < leastWasted)) {
      best = grid;
      mostShown = shown;
      leastWasted = wasted;
    }
  }
  return best;
}

/** The largest size of the picture's proportions inside a grid. */
function fitInside({ width, height }: Size, grid: Size): Size {
  const [x, y] = [grid.width / width, grid.height / height];
  return x < y
    ? { width: grid.width, height: Math.min(Math.ceil(height * x), grid.height) }
    : { width: Math.min(Math.ceil(width * y), grid.width), height: grid.height };
}

/** Rows of a grid that show the picture; those of padding are left out. */
function unpad(grid: Size, { width, height }: Size): Size {
  const inside = (rows: number, shown: number) => rows - 2 * Math.floor((rows - wholeNumber(shown)) / 2);
  return width / height > grid.width / grid.height
    ? { width: grid.width, height: inside(grid.height, height * (grid.width / width)) }
    : { width: inside(grid.width, width * (grid.height / height)), height: grid.height };
}

/** Python's `int(round(x, 7))`: what is a rounding error below an integer counts as that integer. */
function wholeNumber(x: number): number {
  return Math.floor(x + 5e-8);
}

/** Python's `x // y`, which is exact where a quotient of floats is rounded up to an integer. */
function floorDivide(x: number, y: number): number {
  return Math.floor((x - (x % y)) / y + 0.5);
}
