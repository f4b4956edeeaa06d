import { FoveaError } from "../errors.js";
import { isRecord } from "../is-record.js";
import { chooseGguf } from "./choose-gguf.js";
import { isSafeName, type RepositoryName } from "./repository-name.js";

/** Weights in one file, and the list of those in several. */
export const singleFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";

const maxShards = 4096;

/** Everything that describes a model and is no weight: data, never code. */
const smallFiles = [
  "config.json",
  "generation_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "video_preprocessor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.json",
  "chat_template.jinja",
];

/**
 * The files to fetch first: those that describe the model, and its weights, or in place of those the files that were
 * named. Pickles and code are never among them.
 *
 * @param listed what the repository has.
 * @param wanted files that somebody asked for by name.
 */
export function chooseFiles(listed: string[], wanted: string[], { id, revision, variant }: RepositoryName): string[] {
  for (const name of wanted) {
    if (!isSafeName(name) || !/\.(gguf|safetensors|json|jinja)$/.test(name)) {
      const expected = "a plain name that ends in .gguf, .safetensors, .json or .jinja";
      throw new FoveaError(
        "ERR_FOVEA_INVALID_ARGUMENT",
        `Cannot pull the file ${JSON.stringify(name)}: need ${expected}.`,
      );
    }
    if (!listed.includes(name)) {
      const text = `${id} at ${revision} has no file ${name}. It has ${some(listed)}.`;
      throw new FoveaError("ERR_FOVEA_MODEL_NOT_FOUND", text);
    }
  }
  const described = smallFiles.filter((name) => listed.includes(name));
  if (wanted.length > 0) return [...new Set([...described, ...wanted])];
  const gguf = listed.filter((name) => name.endsWith(".gguf"));
  if (variant !== undefined) {
    const chosen = chooseGguf(gguf.filter(isSafeName), variant);
    if (chosen !== null) return [...described, chosen.mmproj, ...chosen.parts];
    throw new FoveaError(
      "ERR_FOVEA_MODEL_NOT_FOUND",
      `${id} at ${revision} has not just one GGUF model named ${variant}, with an mmproj. It has ${some(gguf)}.`,
    );
  }
  // The order in which a folder is read: one file goes before an index.
  const weights = [singleFile, indexFile].find((name) => listed.includes(name));
  if (weights !== undefined) return [...described, weights];
  throw new FoveaError(
    "ERR_FOVEA_MODEL_UNSUPPORTED",
    `${id} at ${revision} has neither ${singleFile} nor ${indexFile}` +
      (gguf.length > 0
        ? `. Name the GGUF model you want, as in ${id}:Q4_K_M: ${some(gguf)}.`
        : `: it has ${some(listed)}.`),
  );
}

/** The files of weights that an index names, or null if it is not one. */
export function shardsOf(index: unknown): string[] | null {
  if (!isRecord(index) || !isRecord(index.weight_map)) return null;
  const names = [...new Set(Object.values(index.weight_map))];
  const isShard = (name: unknown): name is string =>
    typeof name === "string" && isSafeName(name) && name.endsWith(".safetensors");
  return names.length > 0 && names.length <= maxShards && names.every(isShard) ? names : null;
}

function some(names: string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 80)));
  return names.length === 0 ? "no files" : `${shown.join(", ")}${names.length > 8 ? ", …" : ""}`;
}
