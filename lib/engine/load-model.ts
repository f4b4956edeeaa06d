import { resolveModel } from "../hub/resolve-model.js";
import { checkOptions } from "./check-options.js";
import { FoveaError } from "./errors.js";
import { EventHub } from "./event-hub.js";
import { Model } from "./model.js";
import { loadTextIo, type TextIo } from "./text-io.js";
import { wrapError } from "./wrap-error.js";

/** How to hold and run a model. */
export interface LoadOptions {
  /** Weights in memory: as in the file (default), or converted. Activations are always f32. */
  dtype?: "auto" | "f32" | "bf16" | "f16";
  /** Compute threads; 0, the default: every core this process may use. */
  threads?: number;
}

/**
 * Loads a model from a Hugging Face folder, or by name: "fovea-mini" comes with the package.
 *
 * @example
 * const model = await loadModel("fovea-mini");
 * @throws FoveaError
 */
export async function loadModel(dirOrName: string, options: LoadOptions = {}): Promise<Model> {
  checkOptions(options);
  const { dtype = "auto", threads = 0 } = options;
  const path = await resolveModel(dirOrName);
  const hub = EventHub.get();
  const [native, textIo] = await Promise.all([load(hub, path, { dtype, threads }), tryTextIo(path)]);
  return new Model(path, native, hub, textIo);
}

async function load(hub: EventHub, path: string, options: Required<LoadOptions>) {
  try {
    return await hub.binding.load(path, options);
  } catch (error) {
    throw wrapError(error);
  }
}

/** A folder without a usable tokenizer still runs `forward`; only what needs text fails. */
async function tryTextIo(path: string): Promise<() => TextIo> {
  try {
    const io = await loadTextIo(path);
    return () => io;
  } catch (error) {
    if (!FoveaError.isInstance(error)) throw error;
    return () => {
      throw error;
    };
  }
}
