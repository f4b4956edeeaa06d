/** Decoded pixels, row by row from the top: 3 (RGB) or 4 (RGBA, alpha ignored) bytes per pixel. */
export interface RawImage {
  /** Pixels per row. */
  width: number;
  /** Rows. */
  height: number;
  /** width * height * 3 or width * height * 4 bytes. */
  data: Uint8Array | Uint8ClampedArray;
}

/** An image as callers give it: a file's path, a data URL, the bytes of an encoded file, or raw pixels. */
export type ImageInput = string | Uint8Array | RawImage;
