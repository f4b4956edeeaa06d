import { open } from "node:fs/promises";
import { join } from "node:path";
import { FoveaError } from "../errors.js";
import { isRecord } from "../is-record.js";

/** Configuration files are small; anything beyond this is not one. */
const defaultMaxBytes = 4 * 1024 * 1024;

/** A JSON object whose values nobody has checked yet. */
export type JsonObject = Record<string, unknown>;

/** What stands for a folder where a model has none: JSON objects, and texts of other files, by the files' names. */
export interface DescribedModel {
  /** For messages. */
  path: string;
  files: ReadonlyMap<string, JsonObject | string>;
}

/** Where the files that describe a model are. */
export type ModelFolder = string | DescribedModel;

/** The folder's name, for messages. */
export function pathOf(folder: ModelFolder): string {
  return typeof folder === "string" ? folder : folder.path;
}

/** Reads a text file of a model folder, or null if there is none. Larger files than `maxBytes` are refused unread. */
export async function readModelText(
  folder: ModelFolder,
  name: string,
  maxBytes = defaultMaxBytes,
): Promise<string | null> {
  if (typeof folder !== "string") {
    const text = folder.files.get(name);
    return typeof text === "string" ? text : null;
  }
  const path = join(folder, name);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new FoveaError("ERR_FOVEA_MODEL_NOT_FOUND", `Cannot open ${path}: ${(cause as Error).message}.`, { cause });
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new FoveaError("ERR_FOVEA_MODEL_FORMAT", `${path} is not a regular file.`);
    if (stat.size > maxBytes) {
      throw new FoveaError(
        "ERR_FOVEA_MODEL_FORMAT",
        `${path} has ${stat.size} bytes; at most ${maxBytes} are expected of such a file. Is it damaged?`,
      );
    }
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** Reads a JSON object of a model folder, or null if there is no such file. */
export async function readModelJson(folder: ModelFolder, name: string, maxBytes?: number): Promise<JsonObject | null> {
  if (typeof folder !== "string") {
    const object = folder.files.get(name);
    return typeof object === "object" ? object : null;
  }
  const text = await readModelText(folder, name, maxBytes);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_FORMAT",
      `${join(folder, name)} is not valid JSON: ${(cause as Error).message}. Download the file again.`,
      { cause },
    );
  }
  if (!isRecord(value)) {
    throw new FoveaError("ERR_FOVEA_MODEL_FORMAT", `${join(folder, name)} must hold a JSON object.`);
  }
  return value;
}
