import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FoveaError } from "../errors.js";
import { indexFile, singleFile } from "../hub/choose-files.js";
import { isMmproj } from "../hub/choose-gguf.js";
import { isLaterPart } from "../hub/gguf-parts.js";

/** A model in GGUF: the decoder's file, or the first of its parts, and that of its vision tower and projector. */
export interface GgufFiles {
  decoder: string;
  mmproj: string;
}

/**
 * The GGUF files that a path stands for: a decoder's file, or a folder with one. The mmproj is the one that is named,
 * by path or as a file beside the decoder, or else the only one there. Null for a folder of safetensors, or without any.
 */
export async function findGguf(path: string, mmproj?: string): Promise<GgufFiles | null> {
  if (mmproj !== undefined && (typeof mmproj !== "string" || mmproj === "")) {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", "mmproj must be the path of a GGUF file.");
  }
  const isFile = path.endsWith(".gguf") && !(await stat(path)).isDirectory();
  const folder = isFile ? dirname(path) : path;
  const names = await readdir(folder);
  const decoder = isFile ? basename(path) : chooseDecoder(folder, names);
  if (decoder === null) {
    if (mmproj === undefined) return null;
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${path} holds no GGUF model that the mmproj could belong to.`);
  }
  const projector = mmproj === undefined ? chooseMmproj(folder, names, decoder) : locate(folder, names, mmproj);
  return { decoder: join(folder, decoder), mmproj: projector };
}

function chooseDecoder(folder: string, names: string[]): string | null {
  if (names.includes(singleFile) || names.includes(indexFile)) return null;
  const decoders = names.filter((name) => name.endsWith(".gguf") && !isMmproj(name) && !isLaterPart(name)).sort();
  if (decoders.length > 1) {
    throw new FoveaError(
      "ERR_FOVEA_INVALID_ARGUMENT",
      `${folder} holds several GGUF models: ${decoders.join(", ")}. Give the path of the one you mean.`,
    );
  }
  return decoders[0] ?? null;
}

function chooseMmproj(folder: string, names: string[], decoder: string): string {
  const found = names.filter((name) => name.endsWith(".gguf") && isMmproj(name) && name !== decoder).sort();
  if (found.length === 1) return join(folder, found[0] as string);
  throw new FoveaError(
    found.length === 0 ? "ERR_FOVEA_MODEL_NOT_FOUND" : "ERR_FOVEA_INVALID_ARGUMENT",
    found.length === 0
      ? `${join(folder, decoder)} has no mmproj-*.gguf beside it, which would hold the vision tower. Put it there, or name it as mmproj.`
      : `There are several mmproj files in ${folder}: ${found.join(", ")}. Name one of them as mmproj.`,
  );
}

/** A name beside the decoder goes before a path from here. */
function locate(folder: string, names: string[], mmproj: string): string {
  return names.includes(mmproj) ? join(folder, mmproj) : resolve(mmproj);
}
