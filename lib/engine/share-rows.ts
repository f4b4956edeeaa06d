import type { NativePixels } from "../native/binding.js";
import { momentsOf } from "./moments-of.js";

/**
 * Rows of each image among all that the images of a prompt have: as many as its part of their area.
 *
 * @param frames of a video that the tower sees at once.
 */
export function shareRows(rows: number, images: readonly NativePixels[], frames: number): number[] {
  const areas = images.map((image) => image.width * image.height * momentsOf(image, frames));
  const all = areas.reduce((sum, area) => sum + area, 0);
  return areas.map((area) => Math.floor((rows * area) / all));
}
