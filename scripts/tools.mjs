// @ts-check
// What the build scripts know about this machine's tools.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** @param {string} command @param {string[]} [args] */
export function has(command, args = ["--version"]) {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 && { version: /\d+(\.\d+)+/.exec(stdout)?.[0] ?? "" };
}

/** CMake, if it is new enough to read native/sources.gypi (3.19). */
export function hasCmake() {
  const cmake = has("cmake");
  if (!cmake) return false;
  const [major = 0, minor = 0] = cmake.version.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 19);
}

/**
 * The environment for node-gyp and what drives it: all cores, and Node's headers from beside the running Node if they
 * lie there, as they do in Node's own archives and in Debian's packages. Otherwise node-gyp downloads them.
 *
 * @returns {NodeJS.ProcessEnv}
 */
export function gypEnv() {
  /** @type {NodeJS.ProcessEnv} */
  const env = { JOBS: "max", ...process.env };
  const prefix = dirname(dirname(process.execPath));
  const header = join(prefix, "include", "node", "node_version.h");
  if (env.npm_config_nodedir || !existsSync(header)) return env;
  const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(header, "utf8"))?.[1];
  return major === process.versions.node.split(".")[0] ? { ...env, npm_config_nodedir: prefix } : env;
}

/** The script of node-gyp: our own, or the one inside npm when this is an installed package. */
export function nodeGyp() {
  try {
    return require.resolve("node-gyp/bin/node-gyp.js");
  } catch (error) {
    if (process.env.npm_config_node_gyp) return process.env.npm_config_node_gyp;
    throw error;
  }
}

/**
 * Runs a command in the foreground and ends this script with its status if it fails.
 *
 * @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env]
 */
export function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit", env });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
