import type { Progress } from "../eval/index.js";
import type { PullProgress } from "../index.js";
import type { TextSink } from "./context.js";

const interval = 100; // milliseconds between two drawings
const barWidth = 20;

/** One line on a terminal that says how far something is; nothing where lines cannot be written over. */
export class ProgressLine<State> {
  readonly #sink: TextSink;
  readonly #textOf: (state: State, seconds: number) => string;
  readonly #start = performance.now();
  #drawn = Number.NEGATIVE_INFINITY;

  constructor(sink: TextSink, textOf: (state: State, seconds: number) => string) {
    this.#sink = sink;
    this.#textOf = textOf;
  }

  /** Draws the line anew, not more often than anyone can read. */
  update(state: State): void {
    const now = performance.now();
    if (this.#sink.isTTY !== true || now - this.#drawn < interval) return;
    this.#drawn = now;
    this.#sink.write(`\r${this.#textOf(state, (now - this.#start) / 1000)}\x1b[K`);
  }

  /** Wipes the line. */
  clear(): void {
    if (this.#sink.isTTY === true) this.#sink.write("\r\x1b[K");
  }
}

/** A bar, cells done, questions per second and the time left, in one line. */
export function progressText(progress: Progress, seconds: number): string {
  const { cell, cellsDone, cells, resumed, asked, total } = progress;
  const done = resumed + asked;
  const rate = asked / Math.max(seconds, 1e-3);
  const left = asked === 0 ? "" : `, ${rate.toFixed(1)} questions/s, ${duration((total - done) / rate)} left`;
  return `${bar(done / total)} cell ${cellsDone + 1} of ${cells}, ${cell}: ${done} of ${total}${left}`;
}

/** A bar, what has arrived of how much, and how fast it arrives. */
export function pullText({ repository, file, bytes, totalBytes }: PullProgress, rate: number): string {
  const share = bytes / Math.max(1, totalBytes);
  const left = rate > 0 ? `, ${duration((totalBytes - bytes) / rate)} left` : "";
  return `${bar(share)} ${repository}: ${megabytes(bytes)} of ${megabytes(totalBytes)} MB${left}, ${file}`;
}

function bar(share: number): string {
  const filled = Math.floor(barWidth * share);
  return "█".repeat(filled) + "░".repeat(barWidth - filled);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
