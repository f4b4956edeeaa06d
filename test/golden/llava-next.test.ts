import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ForwardInputs, type ImageRows, loadModel, type Message, type Model, type RowFunction } from "../../lib/index.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";
import { expectClose } from "./compare.js";
import { EditedFolders, type Loose } from "./edited-folders.js";
import { readGolden } from "./read-golden.js";
import { beforeProjector, keepAllMethods, testKeepAll } from "./keep-all.js";

interface Case {
  model: string;
  pictures: string[];
  /** Per picture. */
  tiles: number[];
  rows: number[];
  kept: number[];
  tokens: number;
  text: string;
}

const golden = readGolden<{ cutLayer: number; cases: Case[] }>("llava-next/golden");
const path = (name: string) => fileURLToPath(new URL(`./llava-next/${name}`, import.meta.url));
const TOLERANCE = 1e-3;
const folders = new EditedFolders("llava-next");

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
const messagesOf = (pictures: readonly string[]): Message[] => [
  {
    role: "user",
    content: [
      ...pictures.map((name) => ({ type: "image" as const, image: path(`${name}.png`) })),
      { type: "text", text: "What is it?" },
    ],
  },
];

describe.each(["llava-next", "llava-onevision"])("%s as transformers runs it", (name) => {
  let model: Model;
  let scale: number[];
  let offset: number[];
  beforeAll(async () => {
    model = await loadModel(path(name), { dtype: "f32" });
    const [tile] = (await loadImagePreprocessor(path(name))).cut(40, 40).tiles;
    ({ scale = [], offset = [] } = tile ?? {});
  });
  afterAll(() => model.dispose());

  const cases = golden.meta.cases
    .filter((recorded) => recorded.model === name)
    .map((recorded) => ({ ...recorded, key: `${name}.${recorded.pictures.join("+")}` }));
  const [wide, , square] = cases as [Required<(typeof cases)[number]>, unknown, (typeof cases)[number]];

  /** The inputs as recorded; pixels of bytes by the folder's own scaling. */
  function inputsOf({ key, tiles }: { key: string; tiles: number[] }) {
    const { data, shape } = golden.bytes(`${key}.levels`);
    const plane = (shape[2] as number) * (shape[3] as number);
    const channel = (i: number) => Math.floor(i / plane) % 3;
    const pixels = Float32Array.from(data, (level, i) => level * scale[channel(i)]! + offset[channel(i)]!);
    return {
      input_ids: golden.ints(`${key}.input_ids`),
      pixel_values: { data: pixels, shape },
      image_sizes: golden.ints(`${key}.image_sizes`),
      image_tiles: { data: Int32Array.from(tiles), shape: [tiles.length] },
    };
  }

  it.each(cases)("cuts $pictures into $tiles tiles and counts $rows rows", async ({ key, pictures, tiles }) => {
    const inputs = await model.process(messagesOf(pictures));
    const expected = inputsOf({ key, tiles });
    expect(inputs.image_tiles).toEqual(expected.image_tiles);
    expect(inputs.image_sizes).toEqual(expected.image_sizes);
    expect([...inputs.input_ids.data]).toEqual([...expected.input_ids.data]);
    expect(inputs.pixel_values?.shape).toEqual(expected.pixel_values.shape);
    const plane = (expected.pixel_values.shape[2] as number) ** 2;
    let worst = 0; // NaN stays NaN and fails
    for (const [i, value] of (inputs.pixel_values?.data ?? []).entries()) {
      const channel = Math.floor(i / plane) % 3;
      worst = Math.max(worst, Math.abs(value - (expected.pixel_values.data[i] as number)) / scale[channel]!);
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it.each(cases)("features, arranged rows and logits of $pictures", async ({ key, tiles }) => {
    const inputs = inputsOf({ key, tiles });
    const { logits, visionFeatures, projected } = await model.forward(inputs, { taps: true, logitsToKeep: 8 });
    const features = golden.floats(`${key}.features`);
    expect(visionFeatures?.shape).toEqual([sum(tiles), ...features.shape]);
    const ofLast = visionFeatures?.data.subarray(-features.data.length) ?? [];
    expectClose(ofLast, features.data, TOLERANCE, "features of the last tile");
    expectClose(projected?.data ?? [], golden.floats(`${key}.projected`).data, TOLERANCE, "arranged rows");
    expectClose(logits.data, golden.floats(`${key}.logits`).data, TOLERANCE, "logits");
  });

  it.each(cases)("answers $pictures with the same $tokens tokens", async ({ pictures, tokens, text, rows }) => {
    const reply = await model.generate({ messages: messagesOf(pictures), maxTokens: 32 });
    expect(reply.text).toBe(text);
    expect(reply.usage.generatedTokens).toBe(tokens);
    expect(reply.usage.visualRows).toBe(sum(rows));
  });

  it.each(cases)("logits of $pictures with half of the rows gone inside the decoder", async (recorded) => {
    const { key, kept, rows } = recorded;
    const all = golden.ints(`${key}.kept`).data;
    const first = kept.map((_, i) => sum(kept.slice(0, i)));
    const chosen: RowFunction = ({ image }) => all.subarray(first[image], first[image]! + kept[image]!);
    const stage = { method: "custom", use: "chosen", layer: golden.meta.cutLayer } as const;
    const { logits, stages } = await model.forward(
      { ...inputsOf(recorded), plan: { positions: "original", stages: [stage] } },
      { logitsToKeep: 1, keepLists: true, custom: { chosen } },
    );
    expectClose(logits.data, golden.floats(`${key}.cut`).data, TOLERANCE, "logits");
    // A picture is one image with one span, whatever its tiles.
    const images = rows.map((rowsIn, i) => ({ rowsIn, rowsOut: kept[i], kept: chosen({ image: i } as ImageRows) }));
    expect(stages[0]?.[0]?.images).toEqual(images);
  });

  it("says where rows lie: those of the whole, then lines of the tiles' grid", async () => {
    const shown: ImageRows[] = [];
    const look: RowFunction = (rows) => {
      shown.push(rows);
      return rows.places;
    };
    await model.forward(
      { ...inputsOf(square), plan: { stages: [{ method: "custom", use: "look" }] } },
      { logitsToKeep: 1, custom: { look } },
    );
    const [{ columns, grid, places } = {} as ImageRows] = shown;
    const side = name === "llava-next" ? 4 : 5;
    expect([columns, grid?.first]).toEqual([side, side * side]);
    expect(((square.rows[0] ?? 0) - side * side) % (grid?.columns ?? 0)).toBe(0);
    expect([...places]).toEqual([...Array(square.rows[0]).keys()]);
  });

  it("remembers a picture, and keys and values behind it", async () => {
    const ask = (text: string) => {
      const [message] = messagesOf(["tall"]) as [Message];
      const content = [...(message.content as []), { type: "text" as const, text }];
      return model.generate({ messages: [{ role: "user", content }], maxTokens: 2 });
    };
    await ask("one");
    const again = await ask("two");
    expect(again.usage.cachedImages).toBe(1);
    expect(again.usage.cachedRows).toBeGreaterThan(again.usage.visualRows);
  });

  it("a budget counts every tile of a picture", async () => {
    const messages = messagesOf(wide.pictures);
    const plan = { stages: [{ method: "uniform" }], budget: { flops: 0.9 } };
    const { usage } = await model.generate({ messages, plan, maxTokens: 1 });
    const { ms, ...counted } = usage.budget?.measured ?? { ms: 0 };
    expect(counted).toEqual(usage.budget?.predicted);
    const { nLayers, rows, dModel, dFf, patchSize } = model.info.tower;
    const layer = 4 * rows * dModel ** 2 + 2 * rows ** 2 * dModel + 2 * rows * dModel * dFf;
    const embedding = Math.floor(model.info.tower.imageSize / patchSize) ** 2 * 3 * patchSize ** 2 * dModel;
    expect(usage.budget?.measured.macs).toBeGreaterThan(sum(wide.tiles) * (nLayers * layer + embedding));
    const costs = await model.costModel();
    expect(costs.encode).toBeDefined();
  });

  it("refuses to drop rows before the projector, by the hook's name", async () => {
    for (const [stage, hook] of [
      [{ method: "pixelPrune" }, "pixels"],
      [{ method: "toMe" }, "vision-layer"],
      [{ method: "visionZip" }, "vision-out"],
    ] as const) {
      const plan = { stages: [stage] };
      const error = await model.forward({ ...inputsOf(wide), plan }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ERR_FOVEA_PLAN", message: expect.stringContaining(`hook ${hook}`) });
    }
    await expect(
      model.process(messagesOf(["tall"]), { plan: { stages: [{ method: "downscale", keep: 0.5 }] } }),
    ).rejects.toMatchObject({ code: "ERR_FOVEA_PLAN", message: expect.stringContaining("downscale") });
  });

  // SigLIP has no class row to attend.
  const refused = name === "llava-onevision" ? [...beforeProjector, "scope"] : beforeProjector;
  testKeepAll(() => model, () => inputsOf(square), refused);

  it("every method that can say how much stays runs on an arranged picture", async () => {
    const inputs = inputsOf(square);
    const [all = 0] = square.rows;
    for (const [method, { keepAll }] of keepAllMethods) {
      if (typeof (keepAll as { keep?: unknown }).keep !== "number") continue;
      if (refused.includes(method) || method === "downscale") continue;
      const plan = { stages: [{ method, ...keepAll, keep: 0.5 }] };
      const { logits, stages } = await model.forward({ ...inputs, plan }, { logitsToKeep: 1 });
      expect(logits.data.every(Number.isFinite), method).toBe(true);
      for (const { images } of stages[0] ?? []) {
        for (const { rowsIn, rowsOut } of images) {
          expect(rowsIn, method).toBeLessThanOrEqual(all);
          expect(rowsOut, method).toBeGreaterThan(0);
        }
      }
    }
  });

  it("refuses pictures and tiles that do not belong together", async () => {
    const inputs = inputsOf(wide);
    const [n = 0] = inputs.image_tiles.data;
    const sizes = (height: number, width: number) => ({ data: Int32Array.of(height, width), shape: [1, 2] });
    for (const [wrong, message] of [
      [{ image_sizes: sizes(0, 10) }, /sides from 1/],
      [{ image_sizes: sizes(10, 2 ** 30) }, /sides from 1/],
      [{ image_sizes: sizes(140, 33) , image_tiles: { data: Int32Array.of(n), shape: [1] } }, /image tokens|tiles/],
      [{ image_tiles: { data: Int32Array.of(n - 1), shape: [1] } }, /image_tiles add up/],
      [{ image_tiles: { data: Int32Array.of(n + 1, -1), shape: [2] } }, /image_sizes has the shape/],
      [{ image_tiles: undefined }, /image_tiles/],
    ] as const) {
      const error = await model.forward({ ...inputs, ...wrong } as ForwardInputs).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ERR_FOVEA_INVALID_ARGUMENT", message: expect.stringMatching(message) });
    }
  });
});

describe("refuses files that it would misread", () => {
  const FORMAT = "ERR_FOVEA_MODEL_FORMAT";
  const UNSUPPORTED = "ERR_FOVEA_MODEL_UNSUPPORTED";
  const next = "llava-next";
  const one = "llava-onevision";
  it.each<[string, string, (json: Loose) => void, string, RegExp]>([
    ["grids of other tiles", next, (c) => (c.image_grid_pinpoints = [[24, 50]]), FORMAT, /image_grid_pinpoints/],
    ["too many tiles", next, (c) => (c.image_grid_pinpoints = [[24 * 64, 24 * 64]]), FORMAT, /1024 tiles/],
    ["a huge grid", next, (c) => (c.image_grid_pinpoints = [[24 * 2 ** 40, 24]]), FORMAT, /image_grid_pinpoints/],
    ["no grids", next, (c) => (c.image_grid_pinpoints = []), FORMAT, /image_grid_pinpoints/],
    ["grids of three sides", next, (c) => (c.image_grid_pinpoints = [[24, 24, 24]]), FORMAT, /image_grid_pinpoints/],
    ["grids of words", next, (c) => (c.image_grid_pinpoints = [["a", "b"]]), FORMAT, /image_grid_pinpoints/],
    ["a class row among patches", next, (c) => (c.vision_feature_select_strategy = "full"), FORMAT, /"default"/],
    ["no class row to drop", one, (c) => (c.vision_feature_select_strategy = "default"), FORMAT, /"full"/],
    ["no limit of tiles", one, (c) => (c.vision_aspect_ratio = "anyres"), FORMAT, /anyres_max_/],
    ["a limit of no tiles", one, (c) => (c.vision_aspect_ratio = "anyres_max_0"), FORMAT, /anyres_max_/],
    ["a limit beyond numbers", one, (c) => (c.vision_aspect_ratio = "anyres_max_99999999999999999999"), FORMAT, /anyres_max_/],
    ["another tower", one, (c) => (c.vision_config.model_type = "clip_vision_model"), UNSUPPORTED, /siglip/],
    ["another decoder", next, (c) => (c.text_config.model_type = "mamba"), UNSUPPORTED, /"llama", "mistral", "qwen2"/],
    ["a sliding window", next, (c) => (c.text_config.sliding_window = 16), UNSUPPORTED, /sliding_window/],
    ["mistral's own window", next, (c) => Object.assign(c.text_config, { sliding_window: undefined, max_position_embeddings: 8192 }), UNSUPPORTED, /4096/],
    ["a window of qwen2", one, (c) => Object.assign(c.text_config, { use_sliding_window: true, sliding_window: 16 }), UNSUPPORTED, /sliding_window/],
  ])("config.json: %s", async (_, name, edit, code, message) => {
    const folder = folders.copy(path(name), "config.json", (json) => void edit(json));
    await expect(loadModel(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each<[string, string, (json: Loose) => void, string, RegExp]>([
    ["grids of other tiles", next, (c) => (c.image_grid_pinpoints = [[24, 50]]), FORMAT, /image_grid_pinpoints/],
    ["too many tiles", next, (c) => (c.image_grid_pinpoints = [[24 * 64, 24 * 64]]), FORMAT, /1024 tiles/],
    ["no grids", next, (c) => (c.image_grid_pinpoints = []), FORMAT, /image_grid_pinpoints/],
    ["grids of words", next, (c) => (c.image_grid_pinpoints = [["a", 24]]), FORMAT, /image_grid_pinpoints/],
    ["tiles that are scaled again", next, (c) => (c.crop_size = { height: 12, width: 12 }), UNSUPPORTED, /one square/],
    ["tiles that are no squares", one, (c) => (c.size = { height: 25, width: 30 }), UNSUPPORTED, /one square/],
  ])("preprocessor_config.json: %s", async (_, name, edit, code, message) => {
    const folder = folders.copy(path(name), "preprocessor_config.json", (json) => void edit(json));
    await expect(loadImagePreprocessor(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("config.json: numbers that are missing are transformers' defaults", async () => {
    const folder = folders.copy(path(next), "config.json", (c) => {
      for (const key of ["image_grid_pinpoints", "vision_feature_layer", "projector_hidden_act"]) delete c[key];
    });
    await using model = await loadModel(folder);
    expect(model.info.imageRows).toBe(17);
  });
});
