/** Python's round: a half goes to the even neighbour. */
export function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  if (value - low === 0.5) return low % 2 === 0 ? low : low + 1;
  return Math.round(value);
}
