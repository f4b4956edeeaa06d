import { type FileHandle, open } from "node:fs/promises";
import { FoveaError } from "../errors.js";

/** More than any published set of questions has, pictures of MMBench included; a string of it still fits Node. */
const maxBytes = 400 * 1024 * 1024;

/** The text of a file that is not larger than a set of questions can be. */
export async function readText(path: string): Promise<string> {
  return withFile(path, async (file, size) => {
    if (size <= maxBytes) return file.readFile("utf8");
    throw new FoveaError(
      "ERR_FOVEA_INVALID_ARGUMENT",
      `${path} has ${size} bytes; a file of questions has at most ${maxBytes}. Split it.`,
    );
  });
}

/** The first characters of a file, enough to tell what it is. */
export async function readHead(path: string): Promise<string> {
  return withFile(path, async (file) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
    return buffer.toString("utf8", 0, bytesRead);
  });
}

async function withFile<Value>(path: string, read: (file: FileHandle, size: number) => Promise<Value>): Promise<Value> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const found = await file.stat();
    if (!found.isFile()) throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${path} is not a regular file.`);
    return await read(file, found.size);
  } catch (cause) {
    if (FoveaError.isInstance(cause)) throw cause;
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `Cannot read ${path}: ${(cause as Error).message}.`, { cause });
  } finally {
    await file?.close();
  }
}
