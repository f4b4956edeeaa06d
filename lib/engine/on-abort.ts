import { setMaxListeners } from "node:events";

/** Calls `listener` when the signal aborts, until what is returned is called. One signal may stop any number of requests. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {};
  setMaxListeners(0, signal); // Node warns of more than ten.
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}
