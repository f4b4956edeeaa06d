import { FoveaError } from "./errors.js";

/** Refuses what callers without types may pass for an object of options: something else, or one with a false signal. */
export function checkOptions(options: unknown, name = "options"): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${name} must be an object, got ${describe(options)}.`);
  }
  const { signal } = options as { signal?: unknown };
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `signal must be an AbortSignal, got ${describe(signal)}.`);
  }
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}
