/** Ratios end above 0; an image keeps a row anyway. */
export const smallestRatio = 1e-9;
const tolerance = 1e-6;

/**
 * The number in (0, 1] at which a share that grows with it has the wanted value, by bisection.
 *
 * @param shareAt - never decreasing.
 * @returns undefined when even the smallest number leaves a larger share.
 */
export function solveShare(shareAt: (x: number) => number, wanted: number): number | undefined {
  let [low, high] = [smallestRatio, 1];
  if (shareAt(low) > wanted - tolerance) return undefined;
  for (let i = 0; i < 32; ++i) {
    const middle = (low + high) / 2;
    if (shareAt(middle) < wanted) low = middle;
    else high = middle;
  }
  return high;
}
