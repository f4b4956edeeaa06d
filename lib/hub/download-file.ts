import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FoveaError } from "../errors.js";
import { type HubClient, unexpected } from "./hub-client.js";
import type { HubFile } from "./listing.js";
import { claimPartial, releasePartial, removePartials, waitForOthers } from "./partial-file.js";
import { TransientError, withRetries } from "./retry.js";

/** A broken connection that brought this many new bytes is not one of the failures that are counted. */
const advanceBytes = 2 ** 20;

/** Where a file comes from and goes to. */
export interface Download {
  client: HubClient;
  file: HubFile;
  url: string;
  /** The path of the finished file. */
  blob: string;
  signal: AbortSignal;
  /** Called with how many bytes of the file are here. */
  onBytes(bytes: number): void;
}

/**
 * Fetches a file to where its checksum says, unless it is there. What an earlier attempt left is gone on with; what
 * does not have the checksum is removed, and fetched once more.
 */
export async function downloadFile(download: Download): Promise<void> {
  const { client, file, blob, signal, onBytes } = download;
  await mkdir(dirname(blob), { recursive: true });
  await waitForOthers(blob, 2 * client.settings.timeoutMs, signal);
  if (!(await isPresent(blob, file))) {
    if (!(await fetchOnce(download)) && !(await fetchOnce(download))) {
      throw new FoveaError(
        "ERR_FOVEA_CHECKSUM",
        `${download.url} is not the file it should be: its checksum is not ${file.etag}, twice. Nothing of it was kept. ` +
          "Something on the way damages it, or the mirror is wrong: try another network or HF_ENDPOINT.",
      );
    }
    await removePartials(blob);
  }
  onBytes(file.size);
}

/** True if the blob is there; one of another size is damaged, and not. */
export async function isPresent(blob: string, { size }: HubFile): Promise<boolean> {
  return stat(blob).then(
    (found) => found.isFile() && found.size === size,
    () => false,
  );
}

/** False if what came does not have the checksum. */
async function fetchOnce(download: Download): Promise<boolean> {
  const { client, file, blob, signal } = download;
  const partial = await claimPartial(blob);
  const handle = await open(partial, "a+");
  let isDone = false;
  try {
    const writer = await PartialWriter.resume(handle, partial, file, signal);
    await withRetries((advanced) => receive(download, writer, advanced), client.settings, signal);
    isDone = true;
    if (writer.digest() !== file.etag) return false;
    await handle.sync();
    await rename(partial, blob);
    return true;
  } finally {
    await handle.close();
    // After success there is nothing left of that name.
    if (isDone) await rm(partial, { force: true });
    else await releasePartial(partial, blob);
  }
}

/** Asks for what is missing and writes it. Returns when the file has its size. */
async function receive(download: Download, writer: PartialWriter, advanced: () => void): Promise<void> {
  const { client, file, url, signal, onBytes } = download;
  onBytes(writer.bytes);
  if (writer.bytes === file.size) return;
  const start = writer.bytes;
  const headers: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {};
  const answer = await client.open(url, { headers, signal });
  const isRest = answer.status === 206 && answer.headers.get("content-range")?.startsWith(`bytes ${start}-`) === true;
  // Not what was asked for: the server does not know ranges, and sends all of it.
  if (!isRest && start > 0) await writer.restart();
  if (!isRest && answer.status !== 200) {
    for await (const _ of answer.body) break;
    throw new TransientError(`${url} answers ${answer.status} where bytes ${start}-${file.size - 1} were asked for.`);
  }
  for await (const chunk of answer.body) {
    if (writer.bytes + chunk.length > file.size) {
      await writer.restart();
      throw unexpected(url, `more than the ${file.size} bytes of the file`);
    }
    await writer.write(chunk);
    if (writer.hasAdvanced()) advanced();
    onBytes(writer.bytes);
  }
  if (writer.bytes < file.size) throw new TransientError(`${url} ended after ${writer.bytes} of ${file.size} bytes.`);
}

/** Appends to a file and hashes what it holds, piece by piece, so that the event loop goes on. */
class PartialWriter {
  readonly #handle: FileHandle;
  readonly #file: HubFile;
  #hash: Hash;
  /** Length of the file so far. */
  bytes = 0;
  #milestone = 0;

  private constructor(handle: FileHandle, file: HubFile) {
    this.#handle = handle;
    this.#file = file;
    this.#hash = newHash(file);
  }

  /** Goes on with what the file holds already. */
  static async resume(handle: FileHandle, path: string, file: HubFile, signal: AbortSignal): Promise<PartialWriter> {
    const writer = new PartialWriter(handle, file);
    const { size } = await handle.stat();
    if (size > file.size) await writer.restart();
    else if (size > 0) {
      for await (const chunk of createReadStream(path, { signal })) {
        writer.#hash.update(chunk);
        writer.bytes += chunk.length;
      }
    }
    return writer;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#handle.appendFile(chunk);
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  /** True once for every mebibyte that is here for the first time: a restart cannot make it true again and again. */
  hasAdvanced(): boolean {
    const isNew = this.bytes >= this.#milestone + advanceBytes;
    if (isNew) this.#milestone = this.bytes;
    return isNew;
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = newHash(this.#file);
    this.bytes = 0;
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

/** Large files are named by their SHA-256, others as git names them: by the SHA-1 of a header and the content. */
function newHash({ etag, size }: HubFile): Hash {
  return etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}
