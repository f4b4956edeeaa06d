import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { GgufFiles } from "../gguf/find-gguf.js";
import { partsOf } from "../hub/gguf-parts.js";

/** Where Fovea keeps what it has measured, and packed. */
export function cacheFolder({ FOVEA_CACHE, XDG_CACHE_HOME } = process.env): string {
  return FOVEA_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "fovea");
}

/** Part of every cached file's name: another version may compute, or pack, otherwise. */
export async function foveaVersion(): Promise<string> {
  return JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")).version;
}

/** The safetensors files of a model folder, sorted; or the files of a GGUF model, with all parts. */
export async function weightFiles(source: string | GgufFiles): Promise<string[]> {
  if (typeof source === "string") {
    const names = (await readdir(source)).filter((name) => name.endsWith(".safetensors")).sort();
    return names.map((name) => join(source, name));
  }
  const { decoder, mmproj } = source;
  return [decoder, mmproj].flatMap((path) => partsOf(basename(path)).map((name) => join(dirname(path), name)));
}
