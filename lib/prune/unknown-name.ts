import type { FoveaError } from "../errors.js";
import { nearestName } from "./nearest-name.js";
import { planError } from "./plan-error.js";

/** The error for a name that is not one of the known ones: lists them and suggests the nearest. */
export function unknownName(where: string, got: unknown, what: string, known: readonly string[]): FoveaError {
  const nearest = typeof got === "string" ? nearestName(got, known) : undefined;
  const hint = nearest === undefined ? undefined : `Did you mean "${nearest}"?`;
  return planError(where, got, `${what}: ${known.join(", ")}`, hint);
}
