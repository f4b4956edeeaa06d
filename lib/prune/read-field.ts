import { isRecord } from "../is-record.js";
import { planError } from "./plan-error.js";
import { unknownName } from "./unknown-name.js";

/** An object of a plan that has no other keys than these. */
export function readRecord(value: unknown, keys: readonly string[], where: string): Record<string, unknown> {
  if (!isRecord(value)) throw planError(where, value, `an object { ${keys.map((key) => `${key}?`).join(", ")} }`);
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) throw unknownName(where, key, "one of", keys);
  }
  return value;
}

/** A number from 0 to 1. */
export function readShare(value: unknown, fallback: number, where: string): number {
  if (value === undefined) return fallback;
  if (typeof value !== "number" || !(value >= 0 && value <= 1)) throw planError(where, value, "a number from 0 to 1");
  return value;
}

/** A whole number in a range that includes both ends. */
export function readInt(value: unknown, fallback: number, [min, max]: [number, number], where: string): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw planError(where, value, `a whole number from ${min} to ${max}`);
  }
  return value as number;
}
