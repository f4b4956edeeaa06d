import { mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { checkOptions } from "../check-options.js";
import { FoveaError } from "../errors.js";
import { chooseFiles, indexFile, shardsOf } from "./choose-files.js";
import { downloadFile, isPresent } from "./download-file.js";
import { CachedRepository, linkWays, maxIndexBytes } from "./hub-cache.js";
import { HubClient, unexpected } from "./hub-client.js";
import { type HubSettings, readHubSettings } from "./hub-settings.js";
import { describeFile, type HubFile, type HubListing, listFiles } from "./listing.js";
import { readModelJson } from "./model-file.js";
import { parseRepositoryName, type RepositoryName } from "./repository-name.js";

/** Files that are fetched at the same time. */
const nConnections = 4;

/** How far a download is. */
export interface PullProgress {
  /** "owner/name". */
  repository: string;
  /** The file that the last bytes were of. */
  file: string;
  /** Bytes that are here, of all files. */
  bytes: number;
  /** Bytes of all files. */
  totalBytes: number;
}

/** What to download, and how to follow it. */
export interface PullOptions {
  /** Files to fetch in place of the safetensors weights, for example a GGUF file and its mmproj. */
  files?: string[];
  /** Called as bytes arrive. */
  onProgress?: (progress: PullProgress) => void;
  /** Stops the download; the call rejects with the signal's reason. What has arrived is kept for the next one. */
  signal?: AbortSignal;
}

/**
 * Downloads a model from the Hugging Face hub into the cache that Python's huggingface_hub uses too, and returns its
 * folder. What is there already is not fetched again; every file is checked against the hub's checksum.
 *
 * The environment says where and how: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and others.
 *
 * @param name "owner/name", or "owner/name:Q4_K_M" for a GGUF model of it and its mmproj; either with "@revision".
 * @example
 * const folder = await pullModel("llava-hf/llava-1.5-7b-hf");
 * @throws FoveaError
 */
export async function pullModel(name: string, options: PullOptions = {}): Promise<string> {
  checkOptions(options);
  const repository = typeof name === "string" ? parseRepositoryName(name) : null;
  if (repository === null) {
    throw new FoveaError(
      "ERR_FOVEA_INVALID_ARGUMENT",
      `${JSON.stringify(name)} names no repository: expected "owner/name", "owner/name:variant" or "owner/name@revision".`,
    );
  }
  const { files = [] } = options;
  if (!Array.isArray(files) || !files.every((file) => typeof file === "string")) {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", "files must be an array of file names.");
  }
  return pullRepository(repository, options, await readHubSettings());
}

/** The same with settings that do not come from the environment. */
export async function pullRepository(
  repository: RepositoryName,
  options: PullOptions,
  settings: HubSettings,
): Promise<string> {
  const { files = [], onProgress, signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  const cache = new CachedRepository(settings.cache, repository);
  if (settings.isOffline) return findOffline(cache, repository, files, settings);
  const client = new HubClient(settings, repository);
  try {
    const listing = await listFiles(client, signal);
    const pull = { client, cache, listing, signal };
    const names = chooseFiles([...listing.files.keys()], files, repository);
    const shards = names.includes(indexFile) ? await fetchShardNames(pull) : [];
    const wanted: HubFile[] = [];
    for (const name of [...names, ...shards]) wanted.push(await describeFile(client, listing, name, signal));
    await checkSpace(wanted, cache, settings.cache);
    await fetchAll(pull, wanted, onProgress);
    await publish(pull, wanted);
    return cache.snapshot(listing.commit);
  } catch (error) {
    signal.throwIfAborted();
    throw diskError(error, settings.cache);
  }
}

interface Pull {
  client: HubClient;
  cache: CachedRepository;
  listing: HubListing;
  signal: AbortSignal;
}

async function findOffline(
  cache: CachedRepository,
  { id, revision, variant }: RepositoryName,
  files: string[],
  settings: HubSettings,
): Promise<string> {
  const found = await cache.find(revision, variant);
  if (found !== null && files.length === 0) return found;
  throw new FoveaError(
    "ERR_FOVEA_OFFLINE",
    `${id} at ${revision} is not, or not completely, in ${settings.cache}, and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE ` +
      "forbids to download it. Unset it, or point HF_HOME at the cache that has the model.",
  );
}

/** The index has to be here before the files are known that it names. */
async function fetchShardNames({ client, cache, listing, signal }: Pull): Promise<string[]> {
  const index = await describeFile(client, listing, indexFile, signal);
  const url = client.fileUrl(listing.commit, indexFile);
  if (index.size > maxIndexBytes) throw unexpected(url, `an index of ${index.size} bytes`);
  const blob = cache.blob(index.etag);
  await downloadFile({ client, file: index, url, blob, signal, onBytes: () => {} });
  const shards = shardsOf(await readModelJson(dirname(blob), index.etag, maxIndexBytes));
  if (shards === null) throw unexpected(url, "no index of safetensors files");
  const missing = shards.find((name) => !listing.files.has(name));
  if (missing === undefined) return shards;
  throw new FoveaError("ERR_FOVEA_MODEL_FORMAT", `${url} names ${missing}, which the repository does not have.`);
}

async function checkSpace(files: HubFile[], cache: CachedRepository, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  let missing = 0;
  for (const file of files) if (!(await isPresent(cache.blob(file.etag), file))) missing += file.size;
  const { bavail, bsize } = await statfs(folder);
  if (missing > bavail * bsize)
    throw cacheError(folder, `${gigabytes(missing)} needed, ${gigabytes(bavail * bsize)} free`);
}

/** Fetches several files at a time; the first that fails stops the others. */
async function fetchAll(
  { client, cache, listing, signal }: Pull,
  files: HubFile[],
  onProgress: PullOptions["onProgress"],
): Promise<void> {
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  const received = files.map(() => 0);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const queue = files.entries();
  const work = async () => {
    for (const [i, file] of queue) {
      either.throwIfAborted();
      const onBytes = (bytes: number) => {
        received[i] = bytes;
        const sum = received.reduce((total, part) => total + part, 0);
        onProgress?.({ repository: client.repository.id, file: file.name, bytes: sum, totalBytes });
      };
      const url = client.fileUrl(listing.commit, file.name);
      await downloadFile({ client, file, url, blob: cache.blob(file.etag), signal: either, onBytes });
    }
  };
  let failure: { error: unknown } | undefined;
  const workers = Array.from({ length: nConnections }, () =>
    work().catch((error) => {
      failure ??= { error };
      stop.abort();
    }),
  );
  await Promise.all(workers);
  if (failure !== undefined) throw failure.error;
}

/** Shows the files under their names once all are here: config.json last, which a complete snapshot has. */
async function publish({ client, cache, listing }: Pull, files: HubFile[]): Promise<void> {
  const { symlink, hardLink, copy } = linkWays;
  const ways = client.settings.disableSymlinks ? [hardLink, copy] : [symlink, hardLink, copy];
  for (const { name, etag } of [...files].sort((a, b) => rank(a) - rank(b))) {
    await cache.addToSnapshot(listing.commit, name, etag, ways);
  }
  await cache.writeRef(client.repository.revision, listing.commit);
}

function rank({ name }: HubFile): number {
  return name === "config.json" ? 1 : 0;
}

/** What the system says of a cache that cannot be written, as an error of ours; others as they are. */
function diskError(error: unknown, folder: string): unknown {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (!["ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS", "ENOTDIR", "EFBIG"].includes(code)) return error;
  return cacheError(folder, message, error);
}

function cacheError(folder: string, why: string, cause?: unknown): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_DISK",
    `Cannot write the model cache ${folder}: ${why}. Make room, or set HF_HOME to another folder.`,
    { cause },
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
