import { createHash, type Hash } from "node:crypto";
import { mkdir, open, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { FoveaError } from "../errors.js";
import type { GgufFiles } from "../gguf/find-gguf.js";
import { cacheFolder, foveaVersion, weightFiles } from "./cache-folder.js";

/** Of packed matrices in a file; to be raised when the addon packs into other bytes than before. */
const layout = 2;
const sampleBytes = 4096;
const samples = 256;

/** Where packed weights are kept: in the user's cache folder, in a folder of one's own, or nowhere ("" or false). */
export type WeightCache = boolean | string;

/** What `FOVEA_WEIGHT_CACHE` asks for: nothing, 1 for the user's cache folder, or another folder. */
export function defaultWeightCache({ FOVEA_WEIGHT_CACHE = "" } = process.env): WeightCache {
  return FOVEA_WEIGHT_CACHE === "1" || (FOVEA_WEIGHT_CACHE !== "0" && FOVEA_WEIGHT_CACHE);
}

/**
 * The file that the weights of a model, packed as `dtype`, are kept in; another one for other weights and other versions of Fovea. Or
 * "" for none. Weights are told apart by size, time and samples of their bytes: reading all would take as long as packing.
 *
 * @param source - A folder with safetensors files, or the files of a GGUF model.
 */
export async function weightCacheFile(cache: WeightCache, source: string | GgufFiles, dtype: string): Promise<string> {
  if (typeof cache !== "boolean" && typeof cache !== "string") {
    throw new FoveaError(
      "ERR_FOVEA_INVALID_ARGUMENT",
      `weightCache must be true, false or a folder, got a value of type ${typeof cache}.`,
    );
  }
  if (cache === false || cache === "") return "";
  const hash = createHash("sha256").update(JSON.stringify([layout, await foveaVersion(), dtype]));
  try {
    for (const file of await weightFiles(source)) await addFile(hash, file);
  } catch {
    return ""; // loading says better what is wrong with the files
  }
  const folder = cache === true ? join(cacheFolder(), "weights") : cache;
  await mkdir(folder, { recursive: true }).catch(() => {}); // and whether anything can be written there
  return join(folder, `${hash.digest("hex").slice(0, 32)}.safetensors`);
}

/** Its name, size and time, and bytes from its beginning to its end at equal distances. */
async function addFile(hash: Hash, path: string): Promise<void> {
  const { size, mtimeMs } = await stat(path);
  hash.update(JSON.stringify([basename(path), size, mtimeMs]));
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(sampleBytes);
    for (let i = 0; i < samples; i++) {
      const at = Math.round((Math.max(0, size - sampleBytes) * i) / (samples - 1));
      const { bytesRead } = await file.read(buffer, 0, sampleBytes, at);
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
