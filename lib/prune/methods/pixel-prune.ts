import type { Method } from "../method.js";

/** Options of `pixelPrune`. */
export interface PixelPruneOptions {
  /** How far a patch may be from what its neighbours foretell and still go. */
  tau?: number;
  /** Of the differences of two patches' numbers. */
  distance?: "max" | "mean" | "rms";
}

/** PixelPrune: patches that their neighbours foretell never enter the tower. */
export const pixelPrune: Method<PixelPruneOptions> = {
  name: "pixelPrune",
  doc:
    "Drops patches before the vision tower that its left or upper neighbour repeats: each patch is foretold as in " +
    "LOCO-I, from the left, or from above when the upper left one is like the left and unlike the upper one, and stays " +
    "when the foretold one differs by more than tau. With tau 0, the default, only exact repetitions go: blank paper, " +
    "screenshots, flat fills; photographs have hardly any. A dropped patch counts as the one that foretold it, so that " +
    "differences do not add up. PixelPrune, OPPO (methods-reduction 2C.1). How many rows stay depends on the picture.",
  options: {
    tau: {
      kind: "number",
      from: -1,
      to: 100,
      default: 0,
      description: "largest difference that goes, in normalised pixel values; below 0 nothing goes",
    },
    distance: {
      kind: "choice",
      of: ["max", "mean", "rms"],
      default: "max",
      description: "largest, mean or root mean square of the differences",
    },
  },
  keepAll: { tau: -1 },
  lower: ({ tau, distance }) => [
    {
      name: "pixelPrune",
      hook: "pixels",
      steps: [
        {
          do: "select",
          by: "unforeseen",
          tau: tau as number,
          distance: distance as "max" | "mean" | "rms",
          to: "kept",
        },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
