import { FoveaError } from "../errors.js";
import type { Size } from "./image-preprocessor.js";

/** No image may grow beyond the largest one that is decoded: a narrow one would, for a crop that takes little of it. */
const maxResizedPixels = 64 * 1024 * 1024;

/** What native/image accepts of one side. */
const maxResizedSide = 65535;

/** Refuses to resize an image to a size that is empty or too large. */
export function checkResized(image: Size, size: Size, index: number): void {
  const isTooLarge = size.width * size.height > maxResizedPixels || Math.max(size.width, size.height) > maxResizedSide;
  if (!isTooLarge && size.width >= 1 && size.height >= 1) return;
  throw new FoveaError(
    "ERR_FOVEA_IMAGE",
    `Image ${index}: ${image.width} x ${image.height} would be resized to ${size.width} x ${size.height} for this ` +
      "model. Crop it to a less extreme aspect ratio.",
  );
}
