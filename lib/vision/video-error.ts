import { FoveaError } from "../errors.js";

/** What is wrong with a video of a request. */
export function videoError(index: number, reason: string, cause?: unknown): FoveaError {
  return new FoveaError("ERR_FOVEA_IMAGE", `Video ${index}: ${reason}.`, { cause });
}
