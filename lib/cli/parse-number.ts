import { InvalidArgumentError } from "commander";

/** For commander: a decimal number. Its range is the engine's business. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}
