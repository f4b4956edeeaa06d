import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { FoveaError } from "../errors.js";

/** Where models come from, where they are kept, and how patient to be. */
export interface HubSettings {
  /** The cache folder that Python's huggingface_hub uses too. */
  cache: string;
  /** Base address of the hub or of its mirror, without a slash at the end. */
  endpoint: string;
  /** Sent to the endpoint only; null for none. */
  token: string | null;
  /** The network must not be used. */
  isOffline: boolean;
  /** Files of snapshots are copies, not symlinks. */
  disableSymlinks: boolean;
  /** A connection that is silent for this many milliseconds is given up. */
  timeoutMs: number;
  /** Milliseconds before the first retry; the pause doubles each time. */
  firstPauseMs: number;
}

/** What huggingface_hub reads from the environment, by the same names in the same order. An empty variable is none. */
export async function readHubSettings(env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const home = hubHome(env);
  const seconds = Number(env.HF_HUB_DOWNLOAD_TIMEOUT || 30);
  return {
    cache: expandHome(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")),
    endpoint: checkEndpoint(env.HF_ENDPOINT || "https://huggingface.co"),
    token: isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN) ? null : await readToken(env, home),
    isOffline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    disableSymlinks: isTrue(env.HF_HUB_DISABLE_SYMLINKS),
    timeoutMs: (seconds > 0 && seconds <= 3600 ? seconds : 30) * 1000,
    firstPauseMs: 500,
  };
}

function hubHome(env: NodeJS.ProcessEnv): string {
  return expandHome(env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"));
}

async function readToken(env: NodeJS.ProcessEnv, home: string): Promise<string | null> {
  const file = expandHome(env.HF_TOKEN_PATH || join(home, "token"));
  const token = (env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || (await readFile(file, "utf8").catch(() => ""))).trim();
  if (token === "") return null;
  // Anything else would not fit a header; its text is not repeated, for it is a secret.
  if (/^[\x21-\x7e]{1,1024}$/.test(token)) return token;
  throw new FoveaError(
    "ERR_FOVEA_INVALID_ARGUMENT",
    `The hub's token (HF_TOKEN, HUGGING_FACE_HUB_TOKEN or ${file}) has characters that no token has. Copy it again.`,
  );
}

function checkEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.search === "") {
    return url.href.replace(/\/+$/, "");
  }
  throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", 'HF_ENDPOINT must be an address like "https://huggingface.co".');
}

function isTrue(value = ""): boolean {
  return ["1", "ON", "YES", "TRUE"].includes(value.toUpperCase());
}

function expandHome(path: string): string {
  return /^~(?=[/\\]|$)/.test(path) ? join(homedir(), path.slice(1)) : path;
}
