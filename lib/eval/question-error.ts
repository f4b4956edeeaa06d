import { FoveaError } from "../errors.js";
import { describe } from "../prune/describe.js";

/**
 * A file of questions that is not what it should be.
 *
 * @param where - the file, with the line or entry where there is one.
 */
export function questionError(where: string, got: unknown, expected: string, cause?: unknown): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_INVALID_ARGUMENT",
    `Questions, ${where}: got ${describe(got)}, expected ${expected}.`,
    { cause },
  );
}
