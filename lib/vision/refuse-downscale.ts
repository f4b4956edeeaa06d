import { FoveaError } from "../errors.js";

/** What `smaller` says of a model whose tower sees tiles of one size. */
export function refuseDownscale(): never {
  throw new FoveaError(
    "ERR_FOVEA_PLAN",
    "downscale makes pictures smaller, but this model's tower sees tiles of one size. Use a method that acts behind " +
      "the projector or inside the decoder.",
  );
}
