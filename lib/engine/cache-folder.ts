import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where Fovea keeps what it has measured, and packed. */
export function cacheFolder({ FOVEA_CACHE, XDG_CACHE_HOME } = process.env): string {
  return FOVEA_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "fovea");
}

/** Part of every cached file's name: another version may compute, or pack, otherwise. */
export async function foveaVersion(): Promise<string> {
  return JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")).version;
}

/** The safetensors files of a model folder, sorted. */
export async function weightFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".safetensors")).sort();
  return names.map((name) => join(folder, name));
}
