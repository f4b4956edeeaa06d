import type { FoveaError } from "../errors.js";
import { planError } from "./plan-error.js";

/** The error of a method whose first layers alone see more rows than a share asks for. */
export function unreachableShare(method: string, share: number, least: number): FoveaError {
  return planError(
    method,
    share,
    `a share above ${least.toFixed(3)}, which is what the layers before its first drop see`,
    "A share is the mean over all decoder layers.",
  );
}
