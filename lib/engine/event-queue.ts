/** Events waiting for one reader. */
export class EventQueue<Event> {
  #events: Event[] = [];
  #wake: (() => void) | undefined;
  #failure: { reason: unknown } | undefined;

  /** Adds an event. */
  push(event: Event): void {
    this.#events.push(event);
    this.#wake?.();
  }

  /** Makes the reader throw, now or at its next call, whatever is still waiting. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }

  /** All events so far, at least one; waits for it. */
  async next(): Promise<Event[]> {
    while (this.#failure === undefined && this.#events.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
