import type { NativeBinding, NativeEvent } from "../native/binding.js";
import { loadBinding } from "../native/load.js";
import { wrapError } from "./wrap-error.js";

/** Whether nothing more comes of the event's request. */
export function endsRequest({ kind }: NativeEvent): boolean {
  return kind !== "tokens" && kind !== "progress" && kind !== "ask";
}

/** The addon of this environment (main thread or worker) and the way of its events to the requests they belong to. */
export class EventHub {
  static #instance: EventHub | undefined;
  readonly binding: NativeBinding;
  readonly #listeners = new Map<number, (event: NativeEvent) => void>();

  /** The environment's hub; loads the addon on first use. */
  static get(): EventHub {
    EventHub.#instance ??= new EventHub();
    return EventHub.#instance;
  }

  private constructor() {
    this.binding = loadBinding();
    this.binding.listen((events) => {
      for (const event of events) {
        const listener = this.#listeners.get(event.request);
        if (endsRequest(event)) this.#listeners.delete(event.request);
        listener?.(event);
      }
    });
  }

  /** Hands the events of a load to `listener` until `forget`. */
  listen(request: number, listener: (event: NativeEvent) => void): void {
    this.#listeners.set(request, listener);
  }

  /** No more events of this load are wanted. */
  forget(request: number): void {
    this.#listeners.delete(request);
  }

  /** Starts a request through `submit`, which returns its number, and hands its events to `listener` until it ends. */
  request(submit: () => number, listener: (event: NativeEvent) => void): number {
    try {
      const request = submit(); // events come in a later turn of the event loop
      this.#listeners.set(request, listener);
      return request;
    } catch (error) {
      throw wrapError(error);
    }
  }
}
