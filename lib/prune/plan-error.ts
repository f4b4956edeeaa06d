import { FoveaError } from "../errors.js";
import { describe } from "./describe.js";

/**
 * An invalid plan: where it is wrong, what was found there, what belongs there, and what to do if that is not plain.
 *
 * @param where - path into the plan, as in `stages[1].keep`.
 */
export function planError(where: string, got: unknown, expected: string, hint?: string): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_PLAN",
    `Plan, ${where}: got ${describe(got)}, expected ${expected}.${hint === undefined ? "" : ` ${hint}`}`,
  );
}
