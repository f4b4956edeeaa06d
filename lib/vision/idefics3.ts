// Idefics3 and SmolVLM: a picture is brought to a multiple of the tile's size, cut into tiles, and seen once more as a whole.
import { FoveaError } from "../errors.js";
import { isRecord } from "../is-record.js";
import type { PreprocessSpec } from "../native/binding.js";
import { noLimit } from "../prune/picture-limit.js";
import { checkResized } from "./check-resized.js";
import { half, readFilter, readFlag, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor, Size } from "./image-preprocessor.js";
import { requireLimits } from "./require-limits.js";
import { createSmolVlmVideoPreprocessor } from "./smolvlm-video.js";

/** No picture's longer side becomes longer (MAX_IMAGE_SIZE of transformers). */
const maxLongestEdge = 4096;

/** Of one picture; published models make 17 (SmolVLM) to 65 at most. */
const maxTiles = 1024;

const around = "<fake_token_around_image>";
const whole = "<global-img>";

/** What Idefics3ImageProcessor and SmolVLMImageProcessor of transformers do, and how their processors write an image. */
export function createIdefics3Preprocessor(config: ImageConfig, limit = noLimit): ImagePreprocessor {
  const { preprocessor } = config;
  const longest = readFlag(preprocessor, "do_resize", true)
    ? readEdge(preprocessor.size ?? { longest_edge: 4 * 364 }, "size")
    : null;
  const tile = readEdge(preprocessor.max_image_size ?? { longest_edge: 364 }, "max_image_size");
  const splits = readFlag(preprocessor, "do_image_splitting", true);
  const filter = readFilter(preprocessor, "resample", 1);
  const scaling = readScaling(preprocessor, half, half);
  const rows = readSide(config.processor.image_seq_len ?? 169, "image_seq_len");

  const toLongest = (image: Size) => (longest === null ? image : fitLongest(image, longest));

  /** As if "size" said so, if not all of its tiles are allowed the largest multiple of a tile; at last the whole alone. */
  function geometry(image: Size): Geometry {
    if (!splits) return uncut(toLongest(image));
    const whole = cutInto(toLongest(image), tile);
    if (tilesOf(whole) <= limit.tiles) return whole;
    for (let tiles = longest === null ? 1 : Math.ceil(longest / tile) - 1; tiles > 1; --tiles) {
      const smaller = cutInto(fitLongest(image, tiles * tile), tile);
      if (tilesOf(smaller) <= limit.tiles) return smaller;
    }
    return uncut(toLongest(image));
  }

  return {
    cut(width, height, index = 0) {
      const { resizes, size, down, across } = geometry({ width, height });
      for (const resized of resizes) checkResized({ width, height }, resized, index);
      checkTiles(down * across, { width, height }, index);
      const tiles: PreprocessSpec[] = [];
      for (let top = 0; top < down; top++) {
        for (let left = 0; left < across; left++) {
          const window = { left: left * tile, top: top * tile, width: tile, height: tile };
          tiles.push({ resize: null, filter, window, ...scaling });
        }
      }
      const window = { left: 0, top: 0, width: tile, height: tile };
      const isTile = size.width === tile && size.height === tile;
      tiles.push({ resize: isTile ? null : { width: tile, height: tile }, filter, window, ...scaling });
      return { resizes, tiles };
    },
    placeholder(width, height) {
      const { down, across } = geometry({ width, height });
      const parts: (string | number)[] = [];
      let text = "";
      for (let row = 1; row <= down; row++) {
        for (let column = 1; column <= across; column++) {
          parts.push(`${text}${around}<row_${row}_col_${column}>`, rows);
          text = "";
        }
        text = "\n";
      }
      if (down > 0) text += "\n";
      const [begin, ...end] = wholeImage(rows);
      return [...parts, `${text}${begin}`, ...end];
    },
    within(smaller) {
      requireLimits(smaller, ["tiles"]);
      return createIdefics3Preprocessor(config, smaller);
    },
    ...(config.model.model_type === "smolvlm" && { video: createSmolVlmVideoPreprocessor(config, rows) }),
  };
}

/** How a picture that is not cut is written, of so many rows. */
export function wholeImage(rows: number): [string, number, string] {
  return [`${around}${whole}`, rows, around];
}

/** Sizes on a picture's way to tiles, the last of them, and how many tiles lie above and beside each other; 0 if it is not cut. */
interface Geometry {
  resizes: Size[];
  size: Size;
  down: number;
  across: number;
}

function uncut(size: Size): Geometry {
  return { resizes: [size], size, down: 0, across: 0 };
}

function cutInto(fitted: Size, tile: number): Geometry {
  const size = fitTiles(fitted, tile);
  const [down, across] = [size.height / tile, size.width / tile];
  const isCut = down > 1 || across > 1;
  return { resizes: [fitted, size], size, down: isCut ? down : 0, across: isCut ? across : 0 };
}

/** The whole picture is one more. */
function tilesOf({ down, across }: Geometry): number {
  return down * across + 1;
}

/** `{longest_edge}` in pixels. */
export function readEdge(value: unknown, key: string): number {
  return readSide(isRecord(value) ? value.longest_edge : value, `${key}.longest_edge`);
}

/** The longer side takes this length, the other one keeps the proportion, truncated and then made even. */
export function fitLongest({ width, height }: Size, longest: number): Size {
  const ratio = width / height;
  const even = (side: number) => Math.max(1, side + (side % 2));
  const fitted =
    width >= height
      ? { width: longest, height: even(Math.trunc(longest / ratio)) }
      : { width: even(Math.trunc(longest * ratio)), height: longest };
  if (Math.max(fitted.width, fitted.height) <= maxLongestEdge) return fitted;
  const again = fitted.width / fitted.height;
  return fitted.width >= fitted.height
    ? { width: maxLongestEdge, height: Math.max(1, Math.trunc(maxLongestEdge / again)) }
    : { width: Math.max(1, Math.trunc(maxLongestEdge * again)), height: maxLongestEdge };
}

/** Both sides become multiples of the tile's: first the longer one, then the other by the old proportion. */
function fitTiles({ width, height }: Size, tile: number): Size {
  const ratio = width / height;
  const multiple = (side: number) => Math.ceil(side / tile) * tile;
  if (width >= height) {
    const wide = multiple(width);
    return { width: wide, height: multiple(Math.trunc(wide / ratio)) };
  }
  const high = multiple(height);
  return { width: multiple(Math.trunc(high * ratio)), height: high };
}

function checkTiles(tiles: number, { width, height }: Size, index: number): void {
  if (tiles <= maxTiles) return;
  throw new FoveaError(
    "ERR_FOVEA_IMAGE",
    `Image ${index}: ${width} x ${height} would be cut into ${tiles} tiles; at most ${maxTiles} are allowed. Check ` +
      '"size" and "max_image_size" of preprocessor_config.json.',
  );
}
