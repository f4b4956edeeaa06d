import type { ImageInput } from "./image-input.js";

/** Frames, or an animation as callers give it: a file's path, a data URL, or the bytes of a GIF or an animated WebP. */
export type VideoSource = string | Uint8Array | ImageInput[];

/** Which frames of a video the model sees: all, so many a second, or so many spread over it. */
export type FrameSampling = "all" | { fps: number } | { frames: number };

/** A video as callers give it. */
export interface VideoInput {
  video: VideoSource;
  /** Of a list of frames: how many a second. Default 24, as in transformers. */
  fps?: number;
  /** Of a list of frames: when each is seen, in seconds, ascending; in place of `fps`. */
  timestamps?: number[];
  /** Default: as the model's own settings say. */
  sample?: FrameSampling;
}
