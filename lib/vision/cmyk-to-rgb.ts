import { setImmediate } from "node:timers/promises";

/** Pixels between two turns of the event loop: a few milliseconds. */
const slice = 256 * 1024;

/**
 * Multiplies ink by black without a colour profile: Pillow's way, where libvips would use a profile of its own.
 *
 * @param ink - (pixels, 4), 255 for full ink
 * @returns (pixels, 3)
 */
export async function cmykToRgb(ink: Uint8Array): Promise<Uint8Array> {
  const pixels = ink.length / 4;
  const rgb = new Uint8Array(pixels * 3);
  for (let start = 0; start < pixels; start += slice) {
    if (start > 0) await setImmediate();
    const end = Math.min(start + slice, pixels);
    for (let pixel = start; pixel < end; pixel++) {
      const light = 255 - (ink[pixel * 4 + 3] as number);
      for (let channel = 0; channel < 3; channel++) {
        const absorbed = Math.round((light * (ink[pixel * 4 + channel] as number)) / 255);
        rgb[pixel * 3 + channel] = light - absorbed;
      }
    }
  }
  return rgb;
}
