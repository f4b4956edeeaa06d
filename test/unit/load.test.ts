// The loader against fake package folders; no addon is needed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FoveaError } from "../../lib/errors.js";
import { loadBinding } from "../../lib/native/load.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "fovea-load-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function failure(env: NodeJS.ProcessEnv = {}): FoveaError {
  try {
    loadBinding(root, env);
  } catch (error) {
    if (FoveaError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("loadBinding did not throw");
}

test("an empty package lists every path in order and says how to build", () => {
  const error = failure();
  expect(error.code).toBe("ERR_FOVEA_NATIVE_NOT_FOUND");
  const lines = error.message.split("\n");
  expect(lines[1]).toBe(`  ${join(root, "build", "Release", "fovea.node")}: no such file`);
  expect(lines[2]).toBe(`  ${join(root, "build-cmake", "Release", "fovea.node")}: no such file`);
  expect(lines[3]).toContain(join(root, "prebuilds", `${process.platform}-${process.arch}`, "fovea"));
  expect(lines[4]).toContain("npm run build:native");
  expect(lines).toHaveLength(5);
});

test.runIf(process.platform === "linux")("prebuilds on Linux are told apart by their C library", () => {
  expect(failure().message).toMatch(/fovea\.(glibc|musl)\.node: no such file/);
});

test("a damaged addon is reported with the system's reason, and the other paths are still tried", () => {
  const broken = write("build/Release/fovea.node", "not a library");
  const error = failure();
  const line = error.message.split("\n").find((text) => text.includes(broken));
  expect(line).toBeDefined();
  expect(line).not.toContain("no such file");
  expect(error.cause).toBeInstanceOf(Error);
  expect(error.message).toContain(`${join(root, "build-cmake", "Release", "fovea.node")}: no such file`);
});

test("FOVEA_NATIVE_PATH is loaded instead of anything else", () => {
  write("build/Release/fovea.node", "not a library");
  const fake = write("fake.cjs", "module.exports = { load: () => 'fake' };");
  expect(
    loadBinding(root, { FOVEA_NATIVE_PATH: fake }).load("", {
      mmproj: "",
      dtype: "auto",
      threads: 1,
      imageCacheBytes: 0,
      kvCacheBytes: 0,
      weightCache: "",
    }),
  ).toBe("fake");
});

test("a wrong FOVEA_NATIVE_PATH is not papered over by another addon", () => {
  const error = failure({ FOVEA_NATIVE_PATH: join(root, "missing.node") });
  expect(error.message).toContain("missing.node: no such file");
  expect(error.message).not.toContain("build-cmake");
  expect(error.message).toContain("FOVEA_NATIVE_PATH");
});

test("somebody else's addon is refused", () => {
  const fake = write("other.cjs", "module.exports = { sharp() {} };");
  expect(failure({ FOVEA_NATIVE_PATH: fake }).message).toContain("is not Fovea's addon");
});
