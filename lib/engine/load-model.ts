import { checkOptions } from "../check-options.js";
import { FoveaError } from "../errors.js";
import { describeGguf } from "../gguf/describe-gguf.js";
import { findGguf, type GgufFiles } from "../gguf/find-gguf.js";
import type { DescribedModel } from "../hub/model-file.js";
import type { PullProgress } from "../hub/pull-model.js";
import { resolveModel } from "../hub/resolve-model.js";
import type { NativeBinding, NativeModel } from "../native/binding.js";
import { EventHub } from "./event-hub.js";
import { Model } from "./model.js";
import { onAbort } from "./on-abort.js";
import { loadTextIo, type TextIo } from "./text-io.js";
import { defaultWeightCache, weightCacheFile } from "./weight-cache.js";
import { wrapError } from "./wrap-error.js";

/** How to hold and run a model. */
export interface LoadOptions {
  /**
   * Weights in memory: as in the file (default; those that a GGUF file has in blocks of small integers as f16), or
   * converted. Rows are rounded to bf16 where they multiply weights of bf16, to 8 bits for int8 and int4; all else is
   * f32.
   */
  dtype?: "auto" | "f32" | "bf16" | "f16" | "int8" | "int4";
  /** Of a GGUF model: the file of its vision tower and projector, where it is not the only mmproj beside the decoder. */
  mmproj?: string;
  /** Compute threads; 0, the default: every core this process may use. */
  threads?: number;
  /**
   * Bytes of encoded images to keep, so that further questions about a picture skip the vision tower; the ones used
   * longest ago go first. Default 256 MiB, 0 for none.
   */
  imageCacheBytes?: number;
  /**
   * Bytes of keys and values to keep of earlier requests, so that a prompt that begins like one of them, as in a
   * conversation or with further questions about a picture, is read from where it differs. Default 256 MiB, 0 for none.
   */
  kvCacheBytes?: number;
  /**
   * Where to keep the weights as they lie in memory, to be mapped the next time: loading then takes next to nothing, and processes
   * share them. `true`: in the user's cache folder (`FOVEA_CACHE`); or a folder. Default: what `FOVEA_WEIGHT_CACHE` says
   * (1, or a folder), else false. A file for each model and dtype, as large as `info.weightBytes`; nothing deletes them.
   */
  weightCache?: boolean | string;
  /**
   * Called with the share of the weights that is loaded, from 0 to 1. Before that, while a model is downloaded, with
   * the share that is here, and `pull`, which says of what.
   */
  onProgress?: (fraction: number, pull?: PullProgress) => void;
  /** Stops the load; the call rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Loads a model from a Hugging Face folder, from a GGUF file (or a folder with one) that has its mmproj beside it, or by name: "fovea-mini" comes with the package, "owner/name" is taken
 * from the Hugging Face cache, or downloaded (`pullModel`) if it is not there.
 *
 * @example
 * const model = await loadModel("fovea-mini");
 * @throws FoveaError
 */
export async function loadModel(dirOrName: string, options: LoadOptions = {}): Promise<Model> {
  checkOptions(options);
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const path = await resolveModel(dirOrName, {
    ...(signal !== undefined && { signal }),
    onProgress: (pull) => onProgress?.(pull.bytes / Math.max(1, pull.totalBytes), pull),
  });
  const gguf = await findGguf(path, options.mmproj);
  const hub = EventHub.get();
  const [native, textIo] = await Promise.all([load(hub, gguf ?? path, options), tryTextIo(hub.binding, gguf ?? path)]);
  const files = gguf === null ? { path } : { path: gguf.decoder, mmproj: gguf.mmproj };
  return new Model(files, native, hub, textIo);
}

async function load(hub: EventHub, files: string | GgufFiles, options: LoadOptions): Promise<NativeModel> {
  const {
    dtype = "auto",
    threads = 0,
    imageCacheBytes = 2 ** 28,
    kvCacheBytes = 2 ** 28,
    weightCache = defaultWeightCache(),
    onProgress,
    signal,
  } = options;
  const { decoder, mmproj } = typeof files === "string" ? { decoder: files, mmproj: "" } : files;
  const cacheFile = await weightCacheFile(weightCache, files, dtype);
  let started: ReturnType<NativeBinding["load"]>;
  try {
    started = hub.binding.load(decoder, {
      mmproj,
      dtype,
      threads,
      imageCacheBytes,
      kvCacheBytes,
      weightCache: cacheFile,
    });
  } catch (error) {
    throw wrapError(error);
  }
  const { request, model } = started;
  const stopListening = onAbort(signal, () => hub.binding.cancelLoad(request));
  hub.listen(request, (event) => {
    if (event.kind === "progress") onProgress?.(event.fraction);
  });
  try {
    const native = await model;
    if (signal?.aborted) await native.dispose();
    signal?.throwIfAborted();
    onProgress?.(1);
    return native;
  } catch (error) {
    throw signal?.aborted ? signal.reason : wrapError(error);
  } finally {
    stopListening();
    hub.forget(request);
  }
}

/** A model without a usable tokenizer still runs `forward`; only what needs text fails. */
async function tryTextIo(binding: NativeBinding, files: string | GgufFiles): Promise<() => TextIo> {
  try {
    const io = await loadTextIo(typeof files === "string" ? files : await describe(binding, files));
    return () => io;
  } catch (error) {
    if (!FoveaError.isInstance(error)) throw error;
    return () => {
      throw error;
    };
  }
}

async function describe(binding: NativeBinding, { decoder, mmproj }: GgufFiles): Promise<DescribedModel> {
  const read = await binding.readGguf(decoder, mmproj).catch((error: unknown) => {
    throw wrapError(error);
  });
  return describeGguf(decoder, read);
}
