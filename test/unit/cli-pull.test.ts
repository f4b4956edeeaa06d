import { expect, it } from "vitest";
import { withPullLine } from "../../lib/cli/pull-progress.js";
import { runFake } from "./cli-fake-engine.js";

it("fovea pull prints the folder, and a line while it downloads", async () => {
  const ran = await runFake(["pull", "owner/name@v1", "--file", "a.gguf", "--file", "b.gguf"], { isTTY: true });
  expect(ran).toMatchObject({ code: 0, out: "/cache/snapshot\n" });
  expect(ran.pulls).toEqual([["owner/name@v1", expect.objectContaining({ files: ["a.gguf", "b.gguf"] })]]);
  expect(ran.err).toContain("█████░░░░░░░░░░░░░░░ owner/name@v1: 0.5 of 2.0 MB, model.safetensors");
  expect(ran.err.endsWith("\r\x1b[K")).toBe(true);
  expect(await runFake(["pull", "owner/name"])).toMatchObject({ code: 0, out: "/cache/snapshot\n", err: "" });
  expect(await runFake(["pull"])).toMatchObject({ code: 2 });
});

it("a command that has to download its model shows that", async () => {
  let text = "";
  const err = { isTTY: true, write: (part: string) => (text += part) };
  const { signal } = new AbortController();
  const engine = withPullLine(
    {
      cpuInfo: () => {
        throw new Error("not asked for");
      },
      pullModel: async () => "",
      loadModel: async (repository, options) => {
        expect(options.signal).toBe(signal);
        options.onProgress?.(0.5, { repository, file: "config.json", bytes: 1e6, totalBytes: 2e6 });
        options.onProgress?.(0);
        throw new Error("loaded");
      },
    },
    { err, signal },
  );
  await expect(engine.loadModel("owner/name", {})).rejects.toThrow("loaded");
  expect(text).toBe("\r██████████░░░░░░░░░░ owner/name: 1.0 of 2.0 MB, config.json\x1b[K\r\x1b[K");
});
