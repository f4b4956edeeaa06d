import { FoveaError } from "../errors.js";

/** What is wrong with messages of a request. */
export function invalid(message: string): FoveaError {
  return new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${message}.`);
}

/** A short rendering of a wrong value for an error message. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
