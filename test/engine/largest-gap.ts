import { readFileSync } from "node:fs";

/**
 * The longest time between two turns of the event loop, as a timer of 1 ms sees it, while `work` runs. Time in which
 * this thread could have run but other processes had the core does not count; time in which it waited for anything
 * else, as for a lock or a compute thread, does.
 */
export async function largestGap(work: () => Promise<unknown>): Promise<number> {
  let largest = 0;
  let last = performance.now();
  let lastDelay = runDelay();
  const turn = () => {
    const now = performance.now();
    const delay = runDelay();
    largest = Math.max(largest, now - last - (delay - lastDelay));
    last = now;
    lastDelay = delay;
  };
  const timer = setInterval(turn, 1);
  try {
    await work();
    turn();
  } finally {
    clearInterval(timer);
  }
  return largest;
}

/** Milliseconds that the main thread has spent ready to run but without a core; 0 where the kernel does not tell. */
function runDelay(): number {
  try {
    const [, waited = "0"] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "latin1").split(" ");
    return Number(waited) / 1e6;
  } catch {
    return 0;
  }
}
