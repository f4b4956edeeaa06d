import { expect } from "vitest";

/** Asserts that two tensors differ nowhere by more than `tolerance` times the largest expected magnitude. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, `${what}: number of values`).toBe(expected.length);
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const wanted = expected[i] as number;
    largest = Math.max(largest, Math.abs(wanted));
    worst = Math.max(worst, Math.abs((actual[i] as number) - wanted)); // NaN stays NaN and fails below
  }
  expect(
    worst / largest,
    `${what}: largest difference as a share of the largest magnitude ${largest}`,
  ).toBeLessThanOrEqual(tolerance);
}

/** Index of the largest value; the first one on ties. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}
