import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

/** Every ERR_FOVEA_* code that a file of this repository names. */
function codes(path: string): string[] {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  return [...new Set(text.match(/ERR_FOVEA_[A-Z_]+/g))].sort();
}

it("C++, TypeScript and the docs know the same error codes", () => {
  const typescript = codes("lib/errors.ts");
  expect(typescript.length).toBeGreaterThan(10);
  expect(codes("docs/errors.md")).toEqual(typescript);
  // Without the addon there is no C++ to report that it is missing; C++ downloads nothing.
  const others = /_(NATIVE_NOT_FOUND|OFFLINE|NETWORK|HUB_ACCESS|HUB_ANSWER|CHECKSUM|DISK)$/;
  expect(codes("native/base/error.cc")).toEqual(typescript.filter((code) => !others.test(code)));
});
