/** Every code a Fovea error can carry; docs/errors.md says what to do about each. */
export type FoveaErrorCode =
  | "ERR_FOVEA_NATIVE_NOT_FOUND"
  | "ERR_FOVEA_INVALID_ARGUMENT"
  | "ERR_FOVEA_MODEL_NOT_FOUND"
  | "ERR_FOVEA_OFFLINE"
  | "ERR_FOVEA_NETWORK"
  | "ERR_FOVEA_HUB_ACCESS"
  | "ERR_FOVEA_HUB_ANSWER"
  | "ERR_FOVEA_CHECKSUM"
  | "ERR_FOVEA_DISK"
  | "ERR_FOVEA_MODEL_FORMAT"
  | "ERR_FOVEA_MODEL_UNSUPPORTED"
  | "ERR_FOVEA_IMAGE"
  | "ERR_FOVEA_CONTEXT_LENGTH"
  | "ERR_FOVEA_PLAN"
  | "ERR_FOVEA_ISA"
  | "ERR_FOVEA_OUT_OF_MEMORY"
  | "ERR_FOVEA_NUMERIC"
  | "ERR_FOVEA_DISPOSED"
  | "ERR_FOVEA_INTERNAL";

const brand = Symbol.for("fovea.error");

/** The one error class of Fovea: what happened, what was got, what was expected, what to do. */
export class FoveaError extends Error {
  /** @internal */
  readonly [brand] = true;
  /** Stable, machine-readable reason. */
  readonly code: FoveaErrorCode;

  constructor(code: FoveaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FoveaError";
    this.code = code;
  }

  /** True for errors of any copy of this package, where `instanceof` would fail. */
  static isInstance(error: unknown): error is FoveaError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
