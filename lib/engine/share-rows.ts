import type { Size } from "../vision/image-preprocessor.js";

/** Rows of each image among all that the images of a prompt have: as many as its part of their area. */
export function shareRows(rows: number, images: readonly Size[]): number[] {
  const area = images.reduce((sum, { width, height }) => sum + width * height, 0);
  return images.map(({ width, height }) => Math.floor((rows * width * height) / area));
}
