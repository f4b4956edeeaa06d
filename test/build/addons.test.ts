// What the three ways of building the addon make: each loads, and all have the same shape.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const prebuilds = join(root, "prebuilds", `${process.platform}-${process.arch}`);
const builds: Record<string, string | undefined> = {
  "node-gyp": join(root, "build", "Release", "fovea.node"),
  "cmake-js": join(root, "build-cmake", "Release", "fovea.node"),
  prebuildify: existsSync(prebuilds)
    ? readdirSync(prebuilds)
        .map((name) => join(prebuilds, name))
        .find((path) => path.endsWith(".node"))
    : undefined,
};
// CI builds all of them, so there a missing one is a failure.
const isRequired = process.env.FOVEA_REQUIRE_ALL_ADDONS === "1";
const built = Object.entries(builds).filter((entry): entry is [string, string] => existsSync(entry[1] ?? ""));

/** Exported names with their types, and what the CPU probe finds, seen from a process of its own. */
function shapeOf(path: string): unknown {
  const script = `
    const addon = require(${JSON.stringify(path)});
    const names = Object.keys(addon).sort().map((name) => [name, typeof addon[name]]);
    console.log(JSON.stringify({ names, cpu: addon.cpuInfo() }));`;
  return JSON.parse(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }));
}

describe("addon builds", () => {
  for (const [tool, path] of Object.entries(builds)) {
    test.skipIf(!isRequired && !existsSync(path ?? ""))(`${tool}: loads (skipped when it is not built)`, () => {
      expect(path, `${tool} has built nothing`).toBeDefined();
      const { names } = shapeOf(path as string) as { names: [string, string][] };
      expect(names).toContainEqual(["load", "function"]);
    });
  }

  test.skipIf(!isRequired && built.length < 2)("all export the same names and find the same CPU", () => {
    expect(built.map(([tool]) => tool)).toEqual(isRequired ? Object.keys(builds) : expect.anything());
    const [first, ...others] = built.map(([, path]) => shapeOf(path));
    for (const other of others) expect(other).toEqual(first);
  });
});
