import { randomUUID } from "node:crypto";
import {
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { indexFile, shardsOf, singleFile } from "./choose-files.js";
import { chooseGguf } from "./choose-gguf.js";
import { readModelJson } from "./model-file.js";
import { isSafeName, type RepositoryName } from "./repository-name.js";

/** An index of a model of many layers and experts has some megabytes. */
export const maxIndexBytes = 32 * 1024 * 1024;

/**
 * The folder of a repository in the cache that is shared with Python's huggingface_hub:
 *
 *     models--owner--name/blobs/<etag>                      the files
 *     models--owner--name/snapshots/<commit>/config.json    links to them
 *     models--owner--name/refs/main                         the commit's name
 */
export class CachedRepository {
  readonly folder: string;

  constructor(cache: string, { id }: RepositoryName) {
    this.folder = join(cache, `models--${id.replace("/", "--")}`);
  }

  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  /** The folder of a revision if the cache has all it takes to load it, or that GGUF model of it; or null. */
  async find(revision: string, variant?: string): Promise<string | null> {
    const ref = await readFile(join(this.folder, "refs", ...revision.split("/")), "utf8").catch(() => revision);
    const commit = ref.trim();
    if (!isSafeName(commit)) return null;
    const folder = this.snapshot(commit);
    const isThere = variant === undefined ? isLoadable(folder) : findVariant(folder, variant);
    return (await isThere) ? folder : null;
  }

  /** Puts a blob into a snapshot under its name. */
  async addToSnapshot(commit: string, name: string, etag: string, ways: LinkWay[]): Promise<void> {
    const file = join(this.snapshot(commit), name);
    const blob = this.blob(etag);
    const target = relative(dirname(file), blob);
    if ((await readlink(file).catch(() => null)) === target) return;
    await mkdir(dirname(file), { recursive: true });
    // Made beside it and moved there, so that nobody finds the name missing or half a copy.
    const part = `${file}.${randomUUID()}.tmp`;
    try {
      await firstThatWorks(ways, blob, target, part);
      await rename(part, file);
    } finally {
      await rm(part, { force: true });
    }
  }

  /** Notes which commit a branch or tag is. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit) return;
    const file = join(this.folder, "refs", ...revision.split("/"));
    await mkdir(dirname(file), { recursive: true });
    const part = `${file}.${randomUUID()}.tmp`;
    await writeFile(part, commit);
    await rename(part, file);
  }
}

/** Makes `part` stand for a blob. `target` is the blob's path as seen from `part`. */
export type LinkWay = (blob: string, target: string, part: string) => Promise<void>;

/** Ways in the order in which they are tried: Windows refuses symlinks to most users, some disks refuse both. */
export const linkWays: { symlink: LinkWay; hardLink: LinkWay; copy: LinkWay } = {
  symlink: (_, target, part) => symlink(target, part, "file"),
  hardLink: (blob, _, part) => link(blob, part),
  copy: (blob, _, part) => copyFile(blob, part),
};

async function firstThatWorks(ways: LinkWay[], blob: string, target: string, part: string): Promise<void> {
  for (const [i, way] of ways.entries()) {
    try {
      return await way(blob, target, part);
    } catch (error) {
      if (i === ways.length - 1) throw error;
    }
  }
}

/** The decoder's file of a GGUF model in a snapshot that has its mmproj too, or null. */
export async function findVariant(folder: string, variant: string): Promise<string | null> {
  const chosen = chooseGguf(await readdir(folder).catch(() => []), variant);
  return chosen === null ? null : join(folder, chosen.decoder);
}

/** Half-fetched snapshots exist: config.json and all the weights must be there. */
async function isLoadable(folder: string): Promise<boolean> {
  const has = async (name: string) => (await stat(join(folder, name)).catch(() => null))?.isFile() === true;
  if (!(await has("config.json"))) return false;
  if (await has(singleFile)) return true;
  const shards = shardsOf(await readModelJson(folder, indexFile, maxIndexBytes).catch(() => null));
  return shards !== null && (await Promise.all(shards.map(has))).every(Boolean);
}
