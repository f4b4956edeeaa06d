/** NumPy's linspace: `count` places from `first` to `last`, both among them. */
export function spreadEvenly(first: number, last: number, count: number): number[] {
  const step = (last - first) / (count - 1);
  return Array.from({ length: count }, (_, i) =>
    i > 0 && i === count - 1 ? last : i === 0 ? first : i * step + first,
  );
}
