import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { resolveModel } from "../../lib/hub/resolve-model.js";

const notFound = (message: RegExp) =>
  expect.objectContaining({ code: "ERR_FOVEA_MODEL_NOT_FOUND", message: expect.stringMatching(message) });

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "fovea-hub-"));
  vi.stubEnv("HF_HUB_CACHE", "");
  vi.stubEnv("HF_HOME", home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

describe("resolveModel", () => {
  it("takes a folder, relative or not", async () => {
    expect(await resolveModel(home)).toBe(home);
    expect(await resolveModel(relative(process.cwd(), home))).toBe(home);
  });

  it("knows the embedded model by name", async () => {
    expect(await resolveModel("fovea-mini")).toBe(fileURLToPath(new URL("../../model/fovea-mini", import.meta.url)));
  });

  it("finds the main snapshot of a cached repository", async () => {
    const repository = join(home, "hub", "models--owner--name.v1");
    await mkdir(join(repository, "snapshots", "abc123"), { recursive: true });
    await expect(resolveModel("owner/name.v1")).rejects.toThrow(notFound(/neither a folder/));
    await mkdir(join(repository, "refs"));
    await writeFile(join(repository, "refs", "main"), "abc123\n");
    expect(await resolveModel("owner/name.v1")).toBe(join(repository, "snapshots", "abc123"));
    vi.stubEnv("HF_HUB_CACHE", join(home, "hub"));
    expect(await resolveModel("owner/name.v1")).toBe(join(repository, "snapshots", "abc123"));
  });

  it("does not follow a reference out of the cache", async () => {
    const repository = join(home, "hub", "models--owner--name");
    await mkdir(join(repository, "refs"), { recursive: true });
    await mkdir(join(repository, "snapshots"));
    await writeFile(join(repository, "refs", "main"), "../../..");
    await expect(resolveModel("owner/name")).rejects.toThrow(notFound(/neither/));
    await expect(resolveModel("../name-that-is-not-there")).rejects.toThrow(notFound(/neither/));
  });

  it("says what to do about anything else", async () => {
    await writeFile(join(home, "file"), "");
    await expect(resolveModel(join(home, "file"))).rejects.toThrow(notFound(/pass the path of a downloaded folder/));
    await expect(resolveModel("")).rejects.toThrow(expect.objectContaining({ code: "ERR_FOVEA_INVALID_ARGUMENT" }));
  });
});
