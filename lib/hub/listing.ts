import { isRecord } from "../is-record.js";
import { type HubClient, unexpected } from "./hub-client.js";
import { withRetries } from "./retry.js";

const maxListingBytes = 8 * 1024 * 1024;
const maxFileBytes = 2 ** 42;

/** A file of a repository: what it has to be. */
export interface HubFile {
  name: string;
  /** Bytes. */
  size: number;
  /** Of large files the SHA-256 of the content (64 digits), of others its git blob id (40 digits). */
  etag: string;
}

/** The files of a repository at a commit. */
export interface HubListing {
  commit: string;
  /** By name; null where the server only names it. */
  files: Map<string, HubFile | null>;
}

/** Asks which commit a revision is, and what files it has. */
export async function listFiles(client: HubClient, signal: AbortSignal): Promise<HubListing> {
  const { id, revision } = client.repository;
  const url = `${client.settings.endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const listing = parseJson(await client.readText(url, maxListingBytes, signal));
  if (!isRecord(listing) || !isCommit(listing.sha) || !Array.isArray(listing.siblings)) {
    throw unexpected(url, "no list of files");
  }
  const files = new Map<string, HubFile | null>();
  for (const entry of listing.siblings) {
    if (!isRecord(entry) || typeof entry.rfilename !== "string") throw unexpected(url, "a file without a name");
    const lfs = isRecord(entry.lfs) ? entry.lfs : undefined;
    files.set(entry.rfilename, toFile(entry.rfilename, lfs?.size ?? entry.size, lfs?.sha256 ?? entry.blobId));
  }
  return { commit: listing.sha, files };
}

/** The size and checksum of a file: as listed, or else as the file's own headers say. */
export async function describeFile(
  client: HubClient,
  { commit, files }: HubListing,
  name: string,
  signal: AbortSignal,
): Promise<HubFile> {
  const listed = files.get(name);
  if (listed) return listed;
  const url = client.fileUrl(commit, name);
  const { hubHeaders } = await withRetries(() => client.open(url, { method: "HEAD", signal }), client.settings, signal);
  const etag = hubHeaders.get("x-linked-etag") ?? hubHeaders.get("etag");
  const size = hubHeaders.get("x-linked-size") ?? hubHeaders.get("content-length");
  const file = toFile(name, size === null ? undefined : Number(size), etag?.replace(/^W\/|"/g, ""));
  if (file === null) throw unexpected(url, "no size and checksum");
  return file;
}

/** Null unless size and checksum are what they can be: the checksum becomes a file name. */
function toFile(name: string, size: unknown, etag: unknown): HubFile | null {
  const isSize = typeof size === "number" && Number.isInteger(size) && size >= 0 && size <= maxFileBytes;
  return isSize && typeof etag === "string" && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)
    ? { name, size, etag }
    : null;
}

function isCommit(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{40}$/.test(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
