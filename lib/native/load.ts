// Finds the addon of this checkout or package. Built from source, it lies in build/ (node-gyp) or build-cmake/
// (cmake-js); a published package brings prebuilds/.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FoveaError } from "../errors.js";
import type { NativeBinding } from "./binding.js";

const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);

/** Where to look, best first. A path given by the user is the only one: falling back would hide his mistake. */
function candidates(root: string, env: NodeJS.ProcessEnv): string[] {
  if (env.FOVEA_NATIVE_PATH) return [resolve(env.FOVEA_NATIVE_PATH)];
  const libc = process.platform === "linux" ? `.${libcName()}` : "";
  return [
    join(root, "build", "Release", "fovea.node"),
    join(root, "build-cmake", "Release", "fovea.node"),
    join(root, "prebuilds", `${process.platform}-${process.arch}`, `fovea${libc}.node`),
  ];
}

function libcName(): "glibc" | "musl" {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime ? "glibc" : "musl";
}

/**
 * Loads the native addon.
 *
 * @param root - Folder to look in: that of this package.
 * @param env - `FOVEA_NATIVE_PATH` names one file to load instead.
 * @throws FoveaError `ERR_FOVEA_NATIVE_NOT_FOUND`, with every path tried and why it failed.
 */
export function loadBinding(root: string = packageRoot, env: NodeJS.ProcessEnv = process.env): NativeBinding {
  const failures: string[] = [];
  let cause: unknown;
  for (const path of candidates(root, env)) {
    if (!existsSync(path)) {
      failures.push(`${path}: no such file`);
      continue;
    }
    try {
      const binding = require(path) as Partial<NativeBinding>;
      if (typeof binding.load === "function") return binding as NativeBinding;
      failures.push(`${path}: is not Fovea's addon, it exports no load()`);
    } catch (error) {
      cause = error;
      failures.push(`${path}: ${(error as Error).message.split("\n", 1)[0]}`);
    }
  }
  const advice = env.FOVEA_NATIVE_PATH
    ? "Correct the environment variable FOVEA_NATIVE_PATH or unset it."
    : `Build it with \`npm run build:native\` in ${root} (needs a C++20 compiler, and Python with make or else CMake).`;
  const message = [
    `No native addon for ${process.platform}-${process.arch}, Node ${process.versions.node}. Tried:`,
    ...failures.map((failure) => `  ${failure}`),
    advice,
  ].join("\n");
  throw new FoveaError("ERR_FOVEA_NATIVE_NOT_FOUND", message, cause === undefined ? undefined : { cause });
}
