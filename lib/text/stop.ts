/** What a stop matcher lets through of one piece of text. */
export interface StopResult {
  /** Text that certainly comes before any stop string. */
  text: string;
  /** The stop string that was found; the stream ends before it. */
  stopped?: string;
}

/**
 * Finds stop strings in a stream of text. The stop string that is complete first ends the stream (of two that end
 * together, the longer). Text that might be the beginning of a stop string is withheld until later pieces decide, so
 * the result does not depend on how the text is cut into pieces.
 */
export class StopMatcher {
  readonly #stops: string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== "");
  }

  /** Feed the next piece. Nothing more may be fed once `stopped` was reported. */
  push(piece: string): StopResult {
    const text = this.#held + piece;
    const match = this.#firstComplete(text);
    if (match !== null) {
      this.#held = "";
      return { text: text.slice(0, match.at), stopped: match.stop };
    }
    const certain = text.length - this.#openLength(text);
    this.#held = text.slice(certain);
    return { text: text.slice(0, certain) };
  }

  /** The stream has ended: what was withheld turns out to be ordinary text. */
  flush(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  /** The stop string that ends first in `text`. */
  #firstComplete(text: string): { at: number; stop: string } | null {
    let best: { at: number; stop: string } | null = null;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at === -1) continue;
      const later = best === null ? -1 : at + stop.length - (best.at + best.stop.length);
      if (best === null || later < 0 || (later === 0 && at < best.at)) best = { at, stop };
    }
    return best;
  }

  /** Length of the longest end of `text` that is a proper beginning of a stop string. */
  #openLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
