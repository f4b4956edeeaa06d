import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FoveaError } from "../errors.js";
import { CachedRepository, findVariant } from "./hub-cache.js";
import { readHubSettings } from "./hub-settings.js";
import { type PullOptions, pullRepository } from "./pull-model.js";
import { parseRepositoryName } from "./repository-name.js";

/** Models that come with the package, by name: folders below `model/`. */
const embeddedModels = ["fovea-mini"];

/** This file is two levels below the package root, in lib/ as well as in dist/. */
const packageRoot = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Finds the folder of a model, or the GGUF file: an existing one, the embedded model's name, or an `owner/name` of the Hugging Face
 * hub. That is taken from the cache of this machine if it is there, whatever the hub has by now, or else downloaded.
 */
export async function resolveModel(dirOrName: string, options: PullOptions = {}): Promise<string> {
  if (typeof dirOrName !== "string" || dirOrName === "") {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", "A model is named by a non-empty string: a folder or a name.");
  }
  if ((await isFolder(dirOrName)) || (dirOrName.endsWith(".gguf") && (await isFile(dirOrName))))
    return resolve(dirOrName);
  if (embeddedModels.includes(dirOrName)) {
    const folder = join(packageRoot, "model", dirOrName);
    if (await isFolder(folder)) return folder;
    throw new FoveaError(
      "ERR_FOVEA_MODEL_NOT_FOUND",
      `The embedded model "${dirOrName}" should be in ${folder}, but there is no such folder. Reinstall the package.`,
    );
  }
  const repository = parseRepositoryName(dirOrName);
  if (repository !== null) {
    const settings = await readHubSettings();
    const { revision, variant } = repository;
    const cached = await new CachedRepository(settings.cache, repository).find(revision, variant);
    const folder = cached ?? (await pullRepository(repository, options, settings));
    return (variant !== undefined && (await findVariant(folder, variant))) || folder;
  }
  throw new FoveaError(
    "ERR_FOVEA_MODEL_NOT_FOUND",
    `No model "${dirOrName}": it is neither a folder, nor an embedded model (${embeddedModels.join(", ")}), nor the ` +
      '"owner/name" of a repository of the Hugging Face hub. A GGUF file is named by its path.',
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
