import type { Line } from "./cost-model.js";

/**
 * A line through measured points that never falls and begins at 0 or above: Theil and Sen's, the median of the slopes
 * between all pairs of points, which a few points disturbed by other processes do not bend.
 */
export function fitLine(points: readonly { x: number; y: number }[]): Line {
  const slopes = points.flatMap((a, i) =>
    points.slice(i + 1).flatMap((b) => (a.x === b.x ? [] : [(b.y - a.y) / (b.x - a.x)])),
  );
  const slope = Math.max(0, median(slopes));
  return { slope, fixed: Math.max(0, median(points.map(({ x, y }) => y - slope * x))) };
}

/** The middle of some numbers, or the mean of the two in the middle; 0 of none. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
