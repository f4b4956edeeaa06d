import { FoveaError, type FoveaErrorCode } from "../errors.js";

/** Turns an error of the addon, a plain Error with a code, into a FoveaError; leaves others alone. */
export function wrapError(error: unknown): unknown {
  if (FoveaError.isInstance(error) || !(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== "string" || !code.startsWith("ERR_FOVEA_")) return error;
  return new FoveaError(code as FoveaErrorCode, error.message, { cause: error });
}
