const maxText = 40;
const maxElements = 8;

/** A short, bounded text for a value of unknown shape and size; never throws, never descends into nested values. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return JSON.stringify(value.length > maxText ? `${value.slice(0, maxText)}…` : value);
  if (Array.isArray(value)) return describeArray(value);
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  return String(value);
}

function describeArray(values: unknown[]): string {
  const isFlat = values.length <= maxElements && values.every((value) => typeof value !== "object" || value === null);
  return isFlat ? `[${values.map(describe).join(", ")}]` : `an array of ${values.length} elements`;
}
