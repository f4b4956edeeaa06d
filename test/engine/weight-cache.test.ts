import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LoadOptions, loadModel, type Model } from "../../lib/index.js";
import { ask, miniModel } from "./fixtures.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fovea-weights-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const files = () => readdirSync(folder).map((name) => join(folder, name));

async function load(options: LoadOptions = {}, path = miniModel): Promise<Model> {
  return await loadModel(path, { weightCache: folder, ...options });
}

async function logits(model: Model): Promise<Float32Array> {
  const inputs = await model.process(ask("What objects are in the image?", 1));
  return (await model.forward(inputs)).logits.data;
}

describe.each(["auto", "f32", "int8", "int4"] as const)("packed weights as %s", (dtype) => {
  it("are written once, then read, to the same bits and the same facts", async () => {
    await using plain = await loadModel(miniModel, { dtype });
    await using first = await load({ dtype });
    await using second = await load({ dtype });
    expect([plain, first, second].map((model) => model.info.weightCache)).toEqual([undefined, "written", "read"]);
    expect(second.info).toEqual({ ...plain.info, weightCache: "read" });
    const expected = await logits(plain);
    expect(await logits(first)).toEqual(expected);
    expect(await logits(second)).toEqual(expected);
    expect(files()).toHaveLength(1);
  });
});

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const families = [
  "gemma3/gemma3",
  "idefics3/idefics3",
  "internvl/internvl",
  "lfm2_vl/lfm2-vl",
  "llava-next/llava-next",
  "paligemma/paligemma",
  "qwen_vl/qwen2_vl",
  "qwen_vl/qwen2_5_vl",
  "qwen_vl/qwen3_vl",
  "gguf/quantised/quantised-mixed.gguf",
  "gguf/lfm2-vl/lfm2-vl-BF16.gguf",
  "gguf/qwen2_vl/qwen2_vl-BF16-00001-of-00003.gguf",
];

it.each(families)("%s has them, of the same bits", async (name) => {
  await using plain = await loadModel(golden(name));
  await using first = await load({}, golden(name));
  await using second = await load({}, golden(name));
  expect([first.info.weightCache, second.info.weightCache]).toEqual(["written", "read"]);
  expect(second.info).toEqual({ ...plain.info, weightCache: "read" });
  const inputs = { input_ids: { data: Int32Array.of(5, 6, 7), shape: [1, 3] } };
  expect((await second.forward(inputs)).logits.data).toEqual((await plain.forward(inputs)).logits.data);
});

it("has the embedding table that was made of blocks", async () => {
  await using _first = await load({}, golden("gguf/quantised/quantised-mixed.gguf"));
  const [file = ""] = files();
  const bytes = readFileSync(file);
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
  expect(Object.keys(header).filter((name) => name.endsWith(".rows"))).toHaveLength(1);
});

it("what is missing is told as it is without a cache", async () => {
  const first = "qwen2_vl-BF16-00001-of-00003.gguf";
  cpSync(golden(`gguf/qwen2_vl/${first}`), join(folder, first));
  cpSync(golden("gguf/qwen2_vl/mmproj-qwen2_vl-BF16.gguf"), join(folder, "mmproj-qwen2_vl-BF16.gguf"));
  await expect(load({}, join(folder, first))).rejects.toMatchObject({ code: "ERR_FOVEA_MODEL_NOT_FOUND" });
});

it("other dtypes, and weights that changed, have files of their own", async () => {
  const copy = join(folder, "model");
  cpSync(miniModel, copy, { recursive: true });
  const cache = join(folder, "cache");
  const state = async (dtype: "bf16" | "int8") => {
    await using model = await load({ dtype, weightCache: cache }, copy);
    return model.info.weightCache;
  };
  expect([await state("bf16"), await state("int8"), await state("int8")]).toEqual(["written", "written", "read"]);
  const weights = join(copy, "model.safetensors");
  const { atime, mtime } = statSync(weights);
  const bytes = readFileSync(weights);
  bytes[bytes.length - 1] = 0;
  writeFileSync(weights, bytes);
  utimesSync(weights, atime, mtime);
  expect(await state("int8")).toBe("written");
  expect(readdirSync(cache)).toHaveLength(3);
});

it("what is no such file, or was cut off, is written anew", async () => {
  await (await load()).dispose();
  const [file = ""] = files();
  const whole = readFileSync(file);
  for (const spoil of [() => truncateSync(file, whole.length - 1), () => writeFileSync(file, "no weights")]) {
    spoil();
    await using model = await load();
    expect(model.info.weightCache).toBe("written");
    expect(readFileSync(file).equals(whole)).toBe(true);
  }
});

it("an aborted load leaves no file", async () => {
  const controller = new AbortController();
  const onProgress = (fraction: number) => fraction > 0.5 && controller.abort();
  await expect(load({ onProgress, signal: controller.signal })).rejects.toThrow();
  expect(files()).toEqual([]);
});

it("a folder that cannot be written to is no reason to fail", async () => {
  const file = join(folder, "a file");
  writeFileSync(file, "");
  await using model = await load({ weightCache: join(file, "folder") });
  expect(model.info.weightCache).toBe("failed");
  expect(await logits(model)).toHaveLength((await logits(model)).length);
});

it("FOVEA_WEIGHT_CACHE asks for it where the call does not say", async () => {
  const state = async (options: LoadOptions = {}) => {
    await using model = await loadModel(miniModel, options);
    return model.info.weightCache;
  };
  vi.stubEnv("FOVEA_CACHE", folder);
  vi.stubEnv("FOVEA_WEIGHT_CACHE", "1");
  expect([await state(), await state(), await state({ weightCache: false })]).toEqual(["written", "read", undefined]);
  expect(readdirSync(folder)).toEqual(["weights"]);
  vi.stubEnv("FOVEA_WEIGHT_CACHE", "0");
  expect(await state()).toBeUndefined();
  await expect(loadModel(miniModel, { weightCache: 1 as never })).rejects.toThrow(
    "weightCache must be true, false or a folder",
  );
});
