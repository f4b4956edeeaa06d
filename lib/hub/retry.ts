import { setTimeout as sleep } from "node:timers/promises";
import { FoveaError } from "../errors.js";
import type { HubSettings } from "./hub-settings.js";

const maxAttempts = 5;
const maxPauseMs = 60_000;

/** A failure that may go away on its own. */
export class TransientError extends Error {
  /** How long the server wants to be left alone, in milliseconds. */
  readonly pauseMs: number;

  constructor(message: string, { pauseMs = 0, cause }: { pauseMs?: number; cause?: unknown } = {}) {
    super(message, { cause });
    this.pauseMs = pauseMs;
  }
}

/**
 * Repeats an attempt that fails with a TransientError, at most five times in a row, with growing pauses. An attempt
 * that got somewhere calls `advanced`, and the count begins again.
 */
export async function withRetries<T>(
  attempt: (advanced: () => void) => Promise<T>,
  { firstPauseMs }: Pick<HubSettings, "firstPauseMs">,
  signal: AbortSignal,
): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      failures += 1;
      if (failures === maxAttempts) {
        const text = `${error.message} Tried ${maxAttempts} times; what has arrived is kept, so try again later.`;
        throw new FoveaError("ERR_FOVEA_NETWORK", text, { cause: error.cause });
      }
      // The random part keeps many clients from coming back at the same moment.
      const pause = firstPauseMs * 2 ** (failures - 1) * (1 + Math.random() / 4);
      await wait(Math.min(Math.max(pause, error.pauseMs), maxPauseMs), signal);
    }
  }
}

/** Waits some milliseconds; throws the signal's own reason when it is aborted meanwhile. */
export async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}
