// loadModel by a hub's name: the embedded model, served as somebody's repository.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it, vi } from "vitest";
import { loadModel } from "../../lib/index.js";
import { HubServer } from "../unit/hub-server.js";

const folder = fileURLToPath(new URL("../../model/fovea-mini", import.meta.url));
const image = fileURLToPath(new URL("../../model/examples/scene.png", import.meta.url));

afterEach(() => vi.unstubAllEnvs());

async function answer(name: string, onProgress?: Parameters<typeof loadModel>[1]): Promise<string> {
  const model = await loadModel(name, onProgress);
  const content = [
    { type: "image" as const, image },
    { type: "text" as const, text: "What objects are in the image?" },
  ];
  const { text } = await model.generate({ messages: [{ role: "user", content }] });
  await model.dispose();
  return text;
}

it("a model that is not cached is downloaded, loaded, and answers; then it is cached", async () => {
  const names = await readdir(folder);
  const contents = await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const));
  const server = await HubServer.start(Object.fromEntries(contents));
  const home = await mkdtemp(join(tmpdir(), "fovea-pull-"));
  try {
    vi.stubEnv("HF_HOME", home);
    vi.stubEnv("HF_HUB_CACHE", "");
    vi.stubEnv("HF_ENDPOINT", server.endpoint);
    vi.stubEnv("HF_HUB_OFFLINE", "");
    const stages: string[] = [];
    const expected = await answer("fovea-mini");
    const onProgress = (_: number, pull?: unknown) => stages.push(pull === undefined ? "load" : "pull");
    expect(await answer("someone/model", { onProgress })).toBe(expected);
    expect([...new Set(stages)]).toEqual(["pull", "load"]);
    const requests = server.seen.length;
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await answer("someone/model@main")).toBe(expected);
    expect(server.seen).toHaveLength(requests);
    await expect(loadModel("someone/other")).rejects.toMatchObject({ code: "ERR_FOVEA_OFFLINE" });
  } finally {
    await server.stop();
    await rm(home, { recursive: true });
  }
});
