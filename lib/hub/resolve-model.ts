import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FoveaError } from "../errors.js";

/** Models that come with the package, by name: folders below `model/`. */
const embeddedModels = ["fovea-mini"];

/** This file is two levels below the package root, in lib/ as well as in dist/. */
const packageRoot = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Finds the folder of a model: an existing folder, the embedded model's name, or an `owner/name` that the
 * Hugging Face cache of this machine already holds. Nothing is downloaded.
 */
export async function resolveModel(dirOrName: string): Promise<string> {
  if (typeof dirOrName !== "string" || dirOrName === "") {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", "A model is named by a non-empty string: a folder or a name.");
  }
  if (await isFolder(dirOrName)) return resolve(dirOrName);
  if (embeddedModels.includes(dirOrName)) {
    const folder = join(packageRoot, "model", dirOrName);
    if (await isFolder(folder)) return folder;
    throw new FoveaError(
      "ERR_FOVEA_MODEL_NOT_FOUND",
      `The embedded model "${dirOrName}" should be in ${folder}, but there is no such folder. Reinstall the package.`,
    );
  }
  const cached = await findInCache(dirOrName);
  if (cached !== null) return cached;
  throw new FoveaError(
    "ERR_FOVEA_MODEL_NOT_FOUND",
    `No model "${dirOrName}": it is neither a folder, nor an embedded model (${embeddedModels.join(", ")}), nor in the ` +
      `Hugging Face cache ${cacheFolder()}. Fovea does not download models yet: pass the path of a downloaded folder.`,
  );
}

/** The snapshot that `refs/main` of a cached repository names, or null. */
async function findInCache(name: string): Promise<string | null> {
  const parts = name.split("/");
  if (parts.length !== 2 || !parts.every(isSafeName)) return null;
  const repository = join(cacheFolder(), `models--${parts[0]}--${parts[1]}`);
  let revision: string;
  try {
    revision = (await readFile(join(repository, "refs", "main"), "utf8")).trim();
  } catch {
    return null;
  }
  const snapshot = join(repository, "snapshots", revision);
  return isSafeName(revision) && (await isFolder(snapshot)) ? snapshot : null;
}

/** Where huggingface_hub keeps its files; the same variables in the same order. */
function cacheFolder(): string {
  const { HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  if (HF_HUB_CACHE) return HF_HUB_CACHE;
  if (HF_HOME) return join(HF_HOME, "hub");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface", "hub");
}

/** A name that stays one path segment: no separators, not "." or "..". */
function isSafeName(name: string): boolean {
  return /^[\w-][\w.-]*$/.test(name);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
