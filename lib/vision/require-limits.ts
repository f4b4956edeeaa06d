import { FoveaError } from "../errors.js";
import { noLimit, type PictureLimit } from "../prune/picture-limit.js";

const refusals: Record<keyof PictureLimit, string> = {
  side:
    "downscale.keep makes pictures smaller, but this model's tower sees tiles of one size. Cap their number with " +
    "downscale.tiles, or use a method that acts behind the projector or inside the decoder.",
  tiles: "downscale.tiles caps the tiles of a picture, but this model cuts no picture into tiles. Use downscale.keep.",
  pixels:
    "downscale.pixels caps the size of pictures that keep theirs, but this model's tower sees all pictures at one size. " +
    "Use downscale.keep, or downscale.tiles where pictures are cut into tiles.",
};

/** Refuses, by its name, a limit that has no meaning for a family: it knows only some. */
export function requireLimits(limit: PictureLimit, known: readonly (keyof PictureLimit)[]): void {
  for (const name of Object.keys(refusals) as (keyof PictureLimit)[]) {
    if (limit[name] !== noLimit[name] && !known.includes(name)) throw new FoveaError("ERR_FOVEA_PLAN", refusals[name]);
  }
}

/** Refuses a cap below what this model makes of a picture at the least. */
export function requireLeast(name: "tiles" | "pixels", limit: PictureLimit, least: number): void {
  if (limit[name] >= least) return;
  throw new FoveaError(
    "ERR_FOVEA_PLAN",
    `downscale.${name} is ${limit[name]}, but this model makes ${least} ${name} of a picture at least. Give it that.`,
  );
}
