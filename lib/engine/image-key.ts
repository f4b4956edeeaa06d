import { webcrypto } from "node:crypto";
import type { NativePixels } from "../native/binding.js";
import type { LoweredPlan } from "../prune/plan.js";

/**
 * Names an image's rows: its pixels after preprocessing, and everything of the plan that acts on it before the
 * decoder's stream. Two images with the same key have the same rows, so a digest that strangers cannot collide.
 */
export async function imageKey(
  { pixels, width, height, picture, video }: NativePixels,
  plan: LoweredPlan,
): Promise<string> {
  const inTower = plan.stages.filter(
    ({ hook }) => hook === "pixels" || hook === "vision-layer" || hook === "vision-out",
  );
  const taps = plan.stages.flatMap(({ steps }) => steps.filter((step) => step.do === "tap"));
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const digest = Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes)).toString("base64");
  const size = picture === undefined ? "" : ` of ${picture.width}x${picture.height}`;
  const frames = video === undefined ? "" : ` ${video.frames} frames`;
  return `${digest} ${width}x${height}${size}${frames} ${JSON.stringify([inTower, taps])}`;
}
