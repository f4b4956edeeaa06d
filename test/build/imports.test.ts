// The import rules of the architecture (HACKING.md): arrows go down only.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

function filesUnder(folder: string, extension: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
    .filter((path) => extension.test(path));
}

const read = (path: string) => readFileSync(join(root, path), "utf8");
const includesIn = (text: string) =>
  [...text.matchAll(/^\s*#\s*include\s*([<"][^>"]+[>"])/gm)].map((match) => match[1]);
const importsIn = (text: string) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] as string);

/** "file: import" for every import of these files that `isBad` refuses. */
function offenders(files: string[], imports: (text: string) => (string | undefined)[], isBad: RegExp): string[] {
  return files.flatMap((file) =>
    imports(read(file))
      .filter((name) => isBad.test(name ?? ""))
      .map((name) => `${file}: ${name}`),
  );
}

const cpp = filesUnder("native", /\.(h|cc)$/);

test("the patterns see includes and imports", () => {
  expect(includesIn('#include <napi.h>\n  #  include "base/error.h"\n// #include <x>')).toEqual([
    "<napi.h>",
    '"base/error.h"',
  ]);
  expect(importsIn('import { a } from "../native/load.js";\nawait import("./b.js");\nimport "./c.js";')).toEqual([
    "../native/load.js",
    "./b.js",
    "./c.js",
  ]);
});

test("only native/addon includes napi.h", () => {
  const addon = cpp.filter((file) => file.startsWith("native/addon/"));
  expect(offenders(addon, includesIn, /napi\.h|node_api\.h/)).not.toEqual([]);
  const others = cpp.filter((file) => !file.startsWith("native/addon/"));
  expect(offenders(others, includesIn, /napi\.h|node_api\.h|"addon\//)).toEqual([]);
});

test("model and prune code computes through the op table, never through kernels", () => {
  const files = cpp.filter((file) => /^native\/(model|prune|engine)\//.test(file));
  expect(files).not.toEqual([]);
  expect(offenders(files, includesIn, /"kernels\/|immintrin\.h|arm_neon\.h/)).toEqual([]);
});

test("files compiled for one instruction set reach only intrinsics and plain headers", () => {
  const { variables } = JSON.parse(read("native/sources.gypi")) as { variables: Record<string, string[]> };
  const pending = Object.entries(variables)
    .filter(([name]) => /^(avx|amx|neon)\w*_sources$/.test(name))
    .flatMap(([, files]) => files);
  expect(pending).not.toEqual([]);
  // An inline function of any other header, compiled here, could replace the plain copy for every caller.
  const plain = /^<(immintrin\.h|arm_neon\.h|cstddef|cstdint)>$/;
  const seen = new Set<string>();
  const bad: string[] = [];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const include of includesIn(read(file))) {
      const own = /^"(kernels\/.+)"$/.exec(include ?? "")?.[1];
      if (own !== undefined && existsSync(join(root, "native", own))) pending.push(`native/${own}`);
      else if (!plain.test(include ?? "")) bad.push(`${file}: ${include}`);
    }
  }
  expect(bad).toEqual([]);
});

test("the command line, the server, the evaluation and tuning use the engine, never the addon", () => {
  const leaves = ["lib/cli", "lib/server", "lib/eval", "lib/tune"].filter((folder) => existsSync(join(root, folder)));
  const files = leaves.flatMap((folder) => filesUnder(folder, /\.ts$/));
  expect(files).not.toEqual([]);
  expect(offenders(files, importsIn, /\/native\//)).toEqual([]);
});
