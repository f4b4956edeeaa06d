import { createHash, randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { wait } from "./retry.js";

/**
 * A file that is being fetched is `<etag>.fovea-<host>-<pid>-<random>.incomplete`, beside the blob that it becomes.
 * It has one owner, named by its name, and is taken over by renaming it, which only one process can do: so no two
 * ever write to the same file, without locks. (Python's locks are flock(2), which Node does not have; its partial
 * files have other names, and both sides put finished files in place by renaming.)
 */
const pattern = /^fovea-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.incomplete$/;

/** Longer than any download is silent: such a file belongs to nobody, wherever its owner was. */
const forgottenMs = 24 * 3600 * 1000;
const pollMs = 200;

const host = createHash("sha256").update(`${hostname()} ${processSpace()}`).digest("hex").slice(0, 8);

/** A partial file of this process: one that somebody left behind, or the name of a new one. */
export async function claimPartial(blob: string): Promise<string> {
  const own = partialName(blob, process.pid);
  for (const path of await partials(blob, false)) {
    const isOurs = await rename(path, own).then(
      () => true,
      () => false, // Another process was faster.
    );
    if (isOurs) return own;
  }
  return own;
}

/** Leaves a partial file for whoever wants to go on with it. */
export async function releasePartial(partial: string, blob: string): Promise<void> {
  await rename(partial, partialName(blob, 0)).catch(() => {});
}

/** Removes what others left of a blob that is complete. */
export async function removePartials(blob: string): Promise<void> {
  for (const path of await partials(blob, false)) await rm(path, { force: true });
}

/** Waits while another process of this machine fetches the same blob, unless it has got nothing for `patienceMs`. */
export async function waitForOthers(blob: string, patienceMs: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const changes = await Promise.all(
      (await partials(blob, true)).map((path) =>
        stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      ),
    );
    if (!changes.some((changed) => Date.now() - changed < patienceMs)) return;
    await wait(pollMs, signal);
  }
}

/** Partial files of a blob: those with a living owner on this machine, or those with none. */
async function partials(blob: string, isOwned: boolean): Promise<string[]> {
  const prefix = `${basename(blob)}.`;
  const found: string[] = [];
  for (const name of await readdir(dirname(blob)).catch(() => [])) {
    const [, owner, pid] = (name.startsWith(prefix) && pattern.exec(name.slice(prefix.length))) || [];
    if (owner === undefined) continue;
    const path = join(dirname(blob), name);
    const isHere = owner === host;
    const isFree = pid === "0" || (isHere && !isAlive(Number(pid))) || (await isForgotten(path));
    if (isOwned ? isHere && !isFree : isFree) found.push(path);
  }
  return found;
}

function partialName(blob: string, pid: number): string {
  return `${blob}.fovea-${host}-${pid}-${randomBytes(4).toString("hex")}.incomplete`;
}

async function isForgotten(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > forgottenMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Containers on one machine may share its name but not its process numbers. */
function processSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}
