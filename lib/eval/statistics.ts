/** A share of questions, with what it may be off by. */
export interface Proportion {
  /** From 0 to 1. */
  value: number;
  /** Ends of Wilson's interval at 95 %. */
  low: number;
  high: number;
}

const z = 1.959964; // of the normal distribution, two-sided 5 %

/**
 * The mean of scores with Wilson's interval at 95 %. Scores between 0 and 1 spread less than right and wrong, so for
 * them the interval is wider than it has to be.
 */
export function proportion(scores: readonly number[]): Proportion {
  const n = scores.length;
  if (n === 0) return { value: 0, low: 0, high: 1 };
  const value = sum(scores) / n;
  const middle = value + z ** 2 / (2 * n);
  const half = z * Math.sqrt((value * (1 - value)) / n + z ** 2 / (4 * n * n));
  const scale = 1 + z ** 2 / n;
  return { value, low: Math.max(0, (middle - half) / scale), high: Math.min(1, (middle + half) / scale) };
}

/** The middle of some numbers, or the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function mean(values: readonly number[]): number {
  return sum(values) / Math.max(1, values.length);
}
