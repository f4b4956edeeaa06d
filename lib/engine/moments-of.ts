import type { NativePixels } from "../native/binding.js";

/** How often the tower looks at an image: once, or at so many `frames` of a video at a time. */
export function momentsOf({ video }: NativePixels, frames: number): number {
  return video === undefined ? 1 : video.frames / frames;
}
