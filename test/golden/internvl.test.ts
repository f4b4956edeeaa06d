import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadModel, type Message, type Model, type RowFunction } from "../../lib/index.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";
import { expectClose } from "./compare.js";
import { readGolden } from "./read-golden.js";
import { beforeProjector, testKeepAll } from "./keep-all.js";

interface Recording {
  cutLayer: number;
  cases: { pictures: string[]; tiles: number; tokens: number; text: string }[];
}

const golden = readGolden<Recording>("internvl/golden");
const folder = fileURLToPath(new URL("./internvl/internvl", import.meta.url));
const picture = (name: string) => fileURLToPath(new URL(`./llava-next/${name}.png`, import.meta.url));
const TOLERANCE = 1e-3;
const scratch = mkdtempSync(join(tmpdir(), "fovea-internvl-"));
beforeAll(() => vi.stubEnv("FOVEA_CACHE", scratch));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true });
});

const messagesOf = (pictures: readonly string[]): Message[] => [
  {
    role: "user",
    content: [
      ...pictures.map((name) => ({ type: "image" as const, image: picture(name) })),
      { type: "text", text: "What is it?" },
    ],
  },
];

describe("InternVL as transformers runs it", () => {
  let model: Model;
  let scale: number[];
  let offset: number[];
  beforeAll(async () => {
    model = await loadModel(folder, { dtype: "f32" });
    const [tile] = (await loadImagePreprocessor(folder)).cut(40, 40).tiles;
    ({ scale = [], offset = [] } = tile ?? {});
  });
  afterAll(() => model.dispose());

  const cases = golden.meta.cases.map((recorded) => ({ ...recorded, key: `internvl.${recorded.pictures.join("+")}` }));
  const square = "internvl.square";

  /** The inputs as recorded; pixels of bytes by the folder's own scaling. */
  function inputsOf(key: string) {
    const { data, shape } = golden.bytes(`${key}.levels`);
    const plane = (shape[2] as number) * (shape[3] as number);
    const channel = (i: number) => Math.floor(i / plane) % 3;
    const pixels = Float32Array.from(data, (level, i) => level * scale[channel(i)]! + offset[channel(i)]!);
    return { input_ids: golden.ints(`${key}.input_ids`), pixel_values: { data: pixels, shape } };
  }

  it.each(cases)("cuts $pictures into $tiles tiles and writes their placeholders", async ({ key, pictures, tiles }) => {
    const inputs = await model.process(messagesOf(pictures));
    const expected = inputsOf(key);
    expect([...inputs.input_ids.data]).toEqual([...expected.input_ids.data]);
    expect(inputs.pixel_values?.shape).toEqual(expected.pixel_values.shape);
    expect(expected.pixel_values.shape[0]).toBe(tiles);
    const plane = (expected.pixel_values.shape[2] as number) ** 2;
    let worst = 0; // NaN stays NaN and fails
    for (const [i, value] of (inputs.pixel_values?.data ?? []).entries()) {
      const channel = Math.floor(i / plane) % 3;
      worst = Math.max(worst, Math.abs(value - (expected.pixel_values.data[i] as number)) / scale[channel]!);
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it.each(cases)("features, rows and logits of $pictures", async ({ key }) => {
    const { logits, visionFeatures, projected } = await model.forward(inputsOf(key), { taps: true, logitsToKeep: 8 });
    const features = golden.floats(`${key}.features`);
    const ofLast = visionFeatures?.data.subarray(-features.data.length) ?? [];
    expectClose(ofLast, features.data, TOLERANCE, "features of the last tile");
    const rows = golden.floats(`${key}.projected`);
    expect(projected?.shape).toEqual(rows.shape);
    expectClose(projected?.data ?? [], rows.data, TOLERANCE, "projected rows");
    expectClose(logits.data, golden.floats(`${key}.logits`).data, TOLERANCE, "logits");
  });

  it.each(cases)("answers $pictures with the same $tokens tokens", async ({ pictures, tokens, text }) => {
    const reply = await model.generate({ messages: messagesOf(pictures), maxTokens: tokens });
    expect(reply.text).toBe(text);
    expect(reply.usage.generatedTokens).toBe(tokens);
  });

  it.each(cases)("logits of $pictures with half of the rows gone inside the decoder", async ({ key }) => {
    const kept = golden.ints(`${key}.kept`);
    const perTile = kept.shape[1] as number;
    const chosen: RowFunction = ({ image }) => kept.data.subarray(image * perTile, (image + 1) * perTile);
    const stage = { method: "custom", use: "chosen", layer: golden.meta.cutLayer } as const;
    const { logits } = await model.forward(
      { ...inputsOf(key), plan: { positions: "original", stages: [stage] } },
      { logitsToKeep: 1, custom: { chosen } },
    );
    expectClose(logits.data, golden.floats(`${key}.cut`).data, TOLERANCE, "logits");
  });

  it("measures what it costs, without stages inside the tower", async () => {
    expect((await model.costModel()).encode).toBeDefined();
  });

  testKeepAll(() => model, () => inputsOf(square), beforeProjector);
});

describe("refuses files that it would misread", () => {
  // biome-ignore lint/suspicious/noExplicitAny: the point is to write what does not belong there
  type Loose = any;
  let copies = 0;

  /** A copy of the folder in which one file is edited. */
  function damaged(file: string, edit: (json: Loose) => void): string {
    const copy = join(scratch, String(copies++));
    cpSync(folder, copy, { recursive: true });
    const json = JSON.parse(readFileSync(join(copy, file), "utf8"));
    edit(json);
    writeFileSync(join(copy, file), JSON.stringify(json));
    return copy;
  }

  const FORMAT = "ERR_FOVEA_MODEL_FORMAT";
  const UNSUPPORTED = "ERR_FOVEA_MODEL_UNSUPPORTED";
  it.each<[string, (json: Loose) => void, string, RegExp]>([
    ["half a square", (c) => (c.downsample_ratio = 0.4), FORMAT, /downsample_ratio/],
    ["squares that do not fit", (c) => (c.downsample_ratio = 0.25), FORMAT, /downsample_ratio/],
    ["no squares", (c) => (c.downsample_ratio = -1), FORMAT, /downsample_ratio/],
    ["a huge image", (c) => (c.vision_config.image_size = [2 ** 40, 2 ** 40]), FORMAT, /image_size/],
    ["an image that is no square", (c) => (c.vision_config.image_size = [24, 32]), FORMAT, /image_size/],
    ["no patches", (c) => (c.vision_config.patch_size = [0, 0]), FORMAT, /patch_size/],
    ["a class row among patches", (c) => (c.vision_feature_select_strategy = "full"), FORMAT, /"default"/],
    ["a hidden state that is not there", (c) => (c.vision_feature_layer = 9), FORMAT, /vision_feature_layer/],
    ["the norm of the large tower", (c) => (c.vision_config.norm_type = "rms_norm"), UNSUPPORTED, /norm_type/],
    ["normed keys", (c) => (c.vision_config.use_qk_norm = true), UNSUPPORTED, /use_qk_norm/],
    ["no positions", (c) => (c.vision_config.use_absolute_position_embeddings = false), UNSUPPORTED, /positions?/],
    ["another decoder", (c) => (c.text_config.model_type = "qwen3"), UNSUPPORTED, /qwen3/],
  ])("config.json: %s", async (_, edit, code, message) => {
    const copy = damaged("config.json", edit);
    await expect(loadModel(copy)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each<[string, (json: Loose) => void, string, RegExp]>([
    ["tiles that are no squares", (c) => (c.size = { height: 24, width: 30 }), UNSUPPORTED, /square/],
    ["too many tiles", (c) => (c.max_patches = 1e9), FORMAT, /max_patches/],
    ["no tiles", (c) => (c.min_patches = 0), FORMAT, /min_patches/],
  ])("preprocessor_config.json: %s", async (_, edit, code, message) => {
    const copy = damaged("preprocessor_config.json", edit);
    await expect(loadImagePreprocessor(copy)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
