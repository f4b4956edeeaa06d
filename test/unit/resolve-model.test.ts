import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { resolveModel } from "../../lib/hub/resolve-model.js";

const notFound = (message: RegExp) =>
  expect.objectContaining({ code: "ERR_FOVEA_MODEL_NOT_FOUND", message: expect.stringMatching(message) });

const offline = expect.objectContaining({ code: "ERR_FOVEA_OFFLINE" });

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "fovea-hub-"));
  vi.stubEnv("HF_HUB_CACHE", "");
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
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
    const snapshot = join(repository, "snapshots", "abc123");
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(repository, "refs", "feature"), { recursive: true });
    await expect(resolveModel("owner/name.v1")).rejects.toThrow(offline);
    await writeFile(join(repository, "refs", "main"), "abc123\n");
    await writeFile(join(repository, "refs", "feature", "x"), "abc123");
    await writeFile(join(snapshot, "model.safetensors"), "");
    // A download that stopped half-way.
    await expect(resolveModel("owner/name.v1")).rejects.toThrow(offline);
    await writeFile(join(snapshot, "config.json"), "{}");
    for (const revision of ["", "@main", "@feature/x", "@abc123"]) {
      expect(await resolveModel(`owner/name.v1${revision}`)).toBe(snapshot);
    }
    await expect(resolveModel("owner/name.v1@other")).rejects.toThrow(offline);
    vi.stubEnv("HF_HUB_CACHE", join(home, "hub"));
    expect(await resolveModel("owner/name.v1")).toBe(snapshot);
  });

  it("needs every shard of a cached model", async () => {
    const repository = join(home, "hub", "models--owner--name");
    const snapshot = join(repository, "snapshots", "abc123");
    await mkdir(snapshot, { recursive: true });
    await writeFile(join(snapshot, "config.json"), "{}");
    await writeFile(
      join(snapshot, "model.safetensors.index.json"),
      JSON.stringify({ weight_map: { x: "1.safetensors", y: "2.safetensors" } }),
    );
    await writeFile(join(snapshot, "1.safetensors"), "");
    await expect(resolveModel("owner/name@abc123")).rejects.toThrow(offline);
    await writeFile(join(snapshot, "2.safetensors"), "");
    expect(await resolveModel("owner/name@abc123")).toBe(snapshot);
  });

  it("does not follow a reference out of the cache", async () => {
    const repository = join(home, "hub", "models--owner--name");
    await mkdir(join(repository, "refs"), { recursive: true });
    await mkdir(join(repository, "snapshots"));
    for (const name of ["config.json", "model.safetensors"]) await writeFile(join(home, name), "{}");
    await writeFile(join(repository, "refs", "main"), "../../..");
    await expect(resolveModel("owner/name")).rejects.toThrow(offline);
    for (const name of ["../name-that-is-not-there", "owner/name@../../..", "owner/..", "a--b/c", "owner/na\\me"]) {
      await expect(resolveModel(name)).rejects.toThrow(notFound(/neither/));
    }
  });

  it("says what to do about anything else", async () => {
    await writeFile(join(home, "file"), "");
    await expect(resolveModel(join(home, "file"))).rejects.toThrow(notFound(/nor the "owner\/name" of a repository/));
    await expect(resolveModel("")).rejects.toThrow(expect.objectContaining({ code: "ERR_FOVEA_INVALID_ARGUMENT" }));
  });
});
