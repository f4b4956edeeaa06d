// Grids of tiles that a picture is stretched to, by its proportions (InternVL, LFM2-VL).
import type { Size } from "./image-preprocessor.js";

/** Of one picture; published models make 12 at most, and the whole. */
export const mostTiles = 256;

/** Tiles beside and above each other. */
export interface Grid {
  across: number;
  down: number;
}

/** Every grid of so many tiles, smaller ones first, and of those the narrower. */
export function allGrids(fewest: number, most: number): Grid[] {
  const grids: Grid[] = [];
  for (let across = 1; across <= most; across++) {
    for (let down = 1; down <= most; down++) {
      if (across * down >= fewest && across * down <= most) grids.push({ across, down });
    }
  }
  return grids.sort((a, b) => a.across * a.down - b.across * b.down);
}

/** The grid of the nearest proportions; of those that are as near, the largest that has not twice the picture's pixels. */
export function bestGrid({ width, height }: Size, grids: readonly Grid[], tile: number): Grid {
  let best: Grid = { across: 1, down: 1 };
  let nearest = Number.POSITIVE_INFINITY;
  for (const grid of grids) {
    const distance = Math.abs(width / height - grid.across / grid.down);
    const isLarger = distance === nearest && width * height > 0.5 * tile * tile * grid.across * grid.down;
    if (distance < nearest || isLarger) best = grid;
    nearest = Math.min(nearest, distance);
  }
  return best;
}
