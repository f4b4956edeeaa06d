import type { Method } from "../method.js";
import { planError } from "../plan-error.js";

/** Options of `pool`. */
export interface PoolOptions {
  /** Side of the squares that become one row, in patches. */
  side?: number;
}

/** Average pooling: squares of the picture become one row each. */
export const pool: Method<PoolOptions> = {
  name: "pool",
  doc:
    "Replaces every square of side x side projected rows by their mean; where the picture ends, the squares are cut. A " +
    "baseline that many published methods do not beat. Its default leaves a quarter of the rows.",
  options: {
    side: { kind: "count", default: 2, description: "side of the squares, in patches" },
  },
  keepAll: { side: 1 },
  lower: ({ side }) => [
    {
      name: "pool",
      hook: "projected",
      steps: [
        { do: "merge", by: "cells", side: side as number, reduce: "mean", to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
  atShare(entry, share) {
    const side = Math.round(share ** -0.5);
    if (Math.abs(side ** -2 - share) > 1e-9) {
      throw planError("pool", share, "1, 1/4, 1/9, …: one row of each square of patches");
    }
    return { ...entry, side };
  },
};
