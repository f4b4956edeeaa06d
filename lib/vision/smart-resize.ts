import type { Size } from "./image-preprocessor.js";
import type { PixelRange } from "./read-pixel-range.js";
import { roundHalfEven } from "./round-half-even.js";

/** Longest to shortest side of a picture that transformers takes. */
export const maxRatio = 200;

/**
 * Sides that are multiples of `unit`, in the picture's proportions, as nearly as that goes, between so many pixels of all
 * frames together. Whether there are too many or too few is asked of `rounded` frames, how much of `exact` ones.
 */
export function smartResize(
  { width, height }: Size,
  unit: number,
  { min, max }: PixelRange,
  frames: { exact: number; rounded: number } = { exact: 1, rounded: 1 },
): Size {
  const nearest = { width: roundHalfEven(width / unit) * unit, height: roundHalfEven(height / unit) * unit };
  const pixels = frames.rounded * nearest.width * nearest.height;
  if (pixels > max) {
    const shrink = Math.sqrt((frames.exact * height * width) / max);
    const side = (length: number) => Math.max(unit, Math.floor(length / shrink / unit) * unit);
    return { width: side(width), height: side(height) };
  }
  if (pixels >= min) return nearest;
  const grow = Math.sqrt(min / (frames.exact * height * width));
  const side = (length: number) => Math.ceil((length * grow) / unit) * unit;
  return { width: side(width), height: side(height) };
}
