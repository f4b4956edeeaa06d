import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Message, type Model, type ModelInputs, type Plan, type RowFunction } from "../../lib/index.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";
import { expectClose } from "./compare.js";
import { expectDecodedAsPrefilled } from "./decode-as-prefill.js";
import { EditedFolders, type Loose } from "./edited-folders.js";
import { beforeProjector, testKeepAll } from "./keep-all.js";
import { readGolden } from "./read-golden.js";

interface Recording {
  cutLayer: number;
  cutTokens: number;
  pictures: Record<string, string>;
  cases: { model: string; pictures: string[]; rows: number[]; tokens: number; text: string; cut: string }[];
  caps: { picture: string; option: "tiles" | "pixels"; cap: number; key: string }[];
  publishedConfig: object;
}

const golden = readGolden<Recording>("lfm2_vl/golden");
const names = ["lfm2-vl", "lfm2-5-vl"];
const folderOf = (name: string) => fileURLToPath(new URL(`./lfm2_vl/${name}`, import.meta.url));
const picture = (name: string) => fileURLToPath(new URL(`./${golden.meta.pictures[name]}.png`, import.meta.url));
const TOLERANCE = 1e-3;
const folders = new EditedFolders("lfm2");

const messagesOf = (pictures: readonly string[], text = "What is it?"): Message[] => [
  {
    role: "user",
    content: [
      ...pictures.map((name) => ({ type: "image" as const, image: picture(name) })),
      { type: "text", text },
    ],
  },
];

/** The inputs as recorded. */
function inputsOf(key: string): ModelInputs {
  const { data } = golden.bytes(`${key}.levels`);
  return {
    input_ids: golden.ints(`${key}.input_ids`),
    pixel_values: { data: Float32Array.from(data, (level) => level / 127.5 - 1), shape: [data.length] },
    pixel_sizes: golden.ints(`${key}.sizes`),
  };
}

/** Heights and widths of the tower's pictures, one after another. */
function sizesOf({ pixel_values, pixel_sizes }: ModelInputs): number[] {
  if (pixel_sizes !== undefined) return [...pixel_sizes.data];
  const [n = 0, , height = 0, width = 0] = pixel_values?.shape ?? [];
  return Array.from({ length: n }, () => [height, width]).flat();
}

describe.each(names)("%s as transformers runs it", (name) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folderOf(name), { dtype: "f32" });
  });
  afterAll(() => model.dispose());

  const cases = golden.meta.cases
    .filter((recorded) => recorded.model === name)
    .map((recorded) => ({ ...recorded, key: `${name}.${recorded.pictures.join("+")}` }));

  /** Half of the rows of each tile leave, those that left in the recording. */
  function half({ key, rows }: (typeof cases)[number]) {
    const kept = golden.ints(`${key}.kept`).data;
    const counts = rows.map((n) => Math.floor(n / 2));
    const chosen: RowFunction = ({ image }) => {
      const begin = counts.slice(0, image).reduce((sum, n) => sum + n, 0);
      return kept.subarray(begin, begin + (counts[image] as number));
    };
    const stage = { method: "custom", use: "chosen", layer: golden.meta.cutLayer } as const;
    return { plan: { positions: "original", stages: [stage] } satisfies Plan, custom: { chosen } };
  }

  it.each(cases)("cuts or fits $pictures and writes their placeholders", async ({ key, pictures }) => {
    const inputs = await model.process(messagesOf(pictures));
    const expected = inputsOf(key);
    expect([...inputs.input_ids.data]).toEqual([...expected.input_ids.data]);
    expect(sizesOf(inputs)).toEqual(sizesOf(expected));
    expect(inputs.pixel_values?.data.length).toBe(expected.pixel_values?.data.length);
    let worst = 0; // NaN stays NaN and fails
    for (const [i, value] of (inputs.pixel_values?.data ?? []).entries()) {
      worst = Math.max(worst, Math.abs(value - (expected.pixel_values?.data[i] as number)) * 127.5);
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it.each(cases)("features, rows and logits of $pictures", async ({ key }) => {
    const expected = golden.floats(`${key}.logits`);
    const logitsToKeep = expected.shape[0] as number;
    const { logits, visionFeatures, projected } = await model.forward(inputsOf(key), { taps: true, logitsToKeep });
    const features = golden.floats(`${key}.features`);
    const ofLast = visionFeatures?.data.subarray(-features.data.length) ?? [];
    expectClose(ofLast, features.data, TOLERANCE, "features of the last tile");
    expectClose(projected?.data ?? [], golden.floats(`${key}.projected`).data, TOLERANCE, "projected rows");
    expectClose(logits.data, expected.data, TOLERANCE, "logits");
  });

  it.each(cases)("answers $pictures with the same $tokens tokens", async ({ pictures, tokens, text }) => {
    const reply = await model.generate({ messages: messagesOf(pictures), maxTokens: tokens });
    expect(reply.text).toBe(text);
    expect(reply.usage.generatedTokens).toBe(tokens);
  });

  it.each(cases)("logits and answer of $pictures with half of the rows gone inside the decoder", async (recorded) => {
    const { key, pictures, cut } = recorded;
    const { plan, custom } = half(recorded);
    const { logits } = await model.forward({ ...inputsOf(key), plan }, { logitsToKeep: 1, custom });
    expectClose(logits.data, golden.floats(`${key}.cut`).data, TOLERANCE, "logits");
    const reply = await model.generate({
      messages: messagesOf(pictures),
      maxTokens: golden.meta.cutTokens,
      plan,
      custom,
    });
    expect(reply.text).toBe(cut);
  });

  it("answers several at once as one after another, pruned or not", async () => {
    const requests = cases.flatMap((recorded) => [
      { messages: messagesOf(recorded.pictures), maxTokens: recorded.tokens, wanted: recorded.text },
      { messages: messagesOf(recorded.pictures), maxTokens: 16, wanted: recorded.cut, ...half(recorded) },
    ]);
    const replies = await Promise.all(requests.map(({ wanted: _, ...request }) => model.generate(request)));
    expect(replies.map(({ text }) => text)).toEqual(requests.map(({ wanted }) => wanted));
  });

  it("guesses tokens and takes wrong ones back without changing a word", async () => {
    const { pictures, tokens, text } = cases.at(-1) as (typeof cases)[number];
    const skipLayers = [{ part: "attention" as const, layers: [0] }];
    const plan: Plan = { draft: { skipLayers, max: 5, stopProbability: 0, adapt: false } };
    const reply = await model.generate({ messages: messagesOf(pictures), maxTokens: tokens, plan });
    expect(reply.text).toBe(text);
    const { drafted, accepted } = reply.usage.draft ?? { drafted: 0, accepted: 0 };
    expect(drafted).toBeGreaterThan(accepted);
  });

  it("goes on from an earlier prompt as if it were new", async () => {
    const cold = await loadModel(folderOf(name), { dtype: "f32", kvCacheBytes: 0 });
    try {
      const more: Message[] = [
        { role: "assistant", content: "No." },
        { role: "user", content: "Why?" },
      ];
      const skips: Plan = { skipLayers: [{ part: "attention", layers: [0, 2], phase: "decode" }] };
      for (const [messages, plan, reuses] of [
        [messagesOf(["slim", "square"]), {}, false],
        [messagesOf(["slim", "square"], "What else?"), {}, true],
        [[...messagesOf(["slim", "square"]), ...more], {}, true],
        [[...messagesOf(["slim", "square"]), ...more], skips, true],
        [[...messagesOf(["slim", "square"]), ...more, ...more], skips, true],
        [messagesOf(["slim"], "What is it?"), {}, true],
        [messagesOf(["square"], "And this?"), {}, false],
      ] as [Message[], Plan, boolean][]) {
        const request = { messages, maxTokens: 12, plan };
        const warm = await model.generate(request);
        expect(warm.text).toBe((await cold.generate(request)).text);
        if (reuses) expect(warm.usage.cachedRows).toBeGreaterThan(0);
      }
    } finally {
      await cold.dispose();
    }
  });

  it("decodes what a prefill of the same rows computes", async () => {
    const { key, pictures, tokens } = cases.at(-1) as (typeof cases)[number];
    await expectDecodedAsPrefilled(model, messagesOf(pictures), inputsOf(key), tokens);
  });

  it("measures what it costs", async () => {
    expect((await model.costModel()).encode).toBeDefined();
  });

  it("loads as int4", async () => {
    const small = await loadModel(folderOf(name), { dtype: "int4" });
    try {
      const { pictures } = cases[0] as (typeof cases)[number];
      expect((await small.generate({ messages: messagesOf(pictures), maxTokens: 4 })).usage.generatedTokens).toBe(4);
    } finally {
      await small.dispose();
    }
  });
});

describe("LFM2-VL beside what transformers does", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folderOf("lfm2-vl"), { dtype: "f32" });
  });
  afterAll(() => model.dispose());
  const square = "lfm2-vl.square";

  it.each(golden.meta.caps)("holds $picture to $option: $cap", async ({ picture, option, cap, key }) => {
    const plan: Plan = { stages: [{ method: "downscale", [option]: cap }] };
    const inputs = await model.process(messagesOf([picture]), { plan });
    expect([...inputs.input_ids.data]).toEqual([...golden.ints(`${key}.input_ids`).data]);
    expect(sizesOf(inputs)).toEqual([...golden.ints(`${key}.sizes`).data]);
  });

  it("reads the config as it was published", async () => {
    const published = await loadModel(
      folders.copy(folderOf("lfm2-vl"), "config.json", () => golden.meta.publishedConfig),
      { dtype: "f32" },
    );
    try {
      expect((await published.forward(inputsOf(square))).logits).toEqual((await model.forward(inputsOf(square))).logits);
    } finally {
      await published.dispose();
    }
  });

  it("refuses to ask a convolution what it attends to, by the stage's name", async () => {
    const refused = model.forward({ ...inputsOf(square), plan: { stages: [{ method: "fastV", keep: 0.5, layer: 2 }] } });
    await expect(refused).rejects.toMatchObject({
      code: "ERR_FOVEA_PLAN",
      message: expect.stringMatching(/stage fastV.*layer 1, which has none.*that attends: 2, 4/),
    });
    const asked = { ...inputsOf(square), plan: { stages: [{ method: "fastV", keep: 0.5, layer: 3 }] } };
    expect((await model.forward(asked)).stages[0]?.map(({ name }) => name)).toEqual(["fastV"]);
  });

  it("drops rows from the cache of layers that attend, which alone have one", async () => {
    const messages = messagesOf(["square"]);
    const plain = await model.generate({ messages, maxTokens: 16 });
    const n = plain.usage.promptRows;
    expect(plain.usage.kvRows).toEqual([0, 0, n, 0, n, 0]);
    for (const stage of [
      { method: "snapKv", keep: 0.5 },
      { method: "h2o", keep: 0.5 },
      { method: "vlCache", keep: 0.5 },
      { method: "prefixKv", evict: 0.5 },
    ]) {
      const half = await model.generate({ messages, maxTokens: 16, plan: { stages: [stage] } });
      const kept = half.usage.kvRows.reduce((sum, rows) => sum + rows, 0);
      expect(half.usage.kvRows.map((rows) => rows > 0)).toEqual([false, false, true, false, true, false]);
      expect(Math.abs(kept - n), stage.method).toBeLessThan(6);
      expect(half.usage.generatedTokens).toBe(16);
    }
  });

  it("looks for better drafts, and takes back no more rows than a convolution remembers", async () => {
    const messages = messagesOf(["square"]);
    const search = { skipRatio: 0.3, context: 8, patience: 100, proposals: 20, stopScore: 1 };
    const reply = await model.generate({ messages, maxTokens: 32, plan: { draft: { search, stopProbability: 0 } } });
    expect(reply.text).toBe(golden.meta.cases[1]?.text);
    expect(reply.usage.draft?.search?.proposals).toBeGreaterThan(1);
    const far = { draft: { search: { ...search, context: 65 } } };
    await expect(model.generate({ messages, maxTokens: 2, plan: far })).rejects.toMatchObject({
      code: "ERR_FOVEA_PLAN",
      message: expect.stringContaining("draft.search.context is 65"),
    });
  });

  it("refuses pictures whose patches make no squares", async () => {
    const inputs = inputsOf("lfm2-vl.slim");
    const odd = { ...inputs, pixel_sizes: { data: Int32Array.from([12, 28]), shape: [1, 2] } };
    odd.pixel_values = { data: new Float32Array(3 * 12 * 28), shape: [3 * 12 * 28] };
    await expect(model.forward(odd)).rejects.toMatchObject({
      code: "ERR_FOVEA_INVALID_ARGUMENT",
      message: expect.stringContaining("multiples of 8"),
    });
  });

  testKeepAll(
    () => model,
    () => inputsOf(square),
    [...beforeProjector, "scope", "attentionExit", "turboText"], // the last two ask one layer after another
    {
      fastV: { layer: 3 },
      feather: { layers: [3, 5] },
      pyramidDrop: { layers: [2, 4] },
      sparseVlm: { layers: [3] },
      vScan2: { layer: 4 },
    },
  );
});

describe("refuses files that it would misread", () => {
  const FORMAT = "ERR_FOVEA_MODEL_FORMAT";
  const UNSUPPORTED = "ERR_FOVEA_MODEL_UNSUPPORTED";
  it.each<[string, (json: Loose) => void, string, RegExp]>([
    ["no squares", (c) => (c.downsample_factor = 0), FORMAT, /downsample_factor/],
    ["huge squares", (c) => (c.downsample_factor = 2 ** 40), FORMAT, /downsample_factor/],
    ["a huge projector", (c) => (c.projector_hidden_size = 2 ** 40), FORMAT, /projector_hidden_size/],
    ["another hidden state", (c) => (c.vision_feature_layer = -2), FORMAT, /vision_feature_layer/],
    ["a table that is no square", (c) => (c.vision_config.num_patches = 10), FORMAT, /num_patches/],
    ["a huge table", (c) => (c.vision_config.num_patches = 2 ** 40), FORMAT, /num_patches/],
    ["a huge patch", (c) => (c.vision_config.patch_size = 2 ** 40), FORMAT, /patch_size/],
    ["another tower", (c) => (c.vision_config.model_type = "siglip_vision_model"), UNSUPPORTED, /siglip_vision_model/],
    ["another decoder", (c) => (c.text_config.model_type = "lfm2_moe"), UNSUPPORTED, /lfm2_moe/],
    ["another kind of layer", (c) => (c.text_config.layer_types[1] = "mamba"), FORMAT, /layer_types/],
    ["a kind of too few layers", (c) => c.text_config.layer_types.pop(), FORMAT, /layer_types/],
    ["no taps", (c) => (c.text_config.conv_L_cache = 0), FORMAT, /conv_L_cache/],
    ["many taps", (c) => (c.text_config.conv_L_cache = 2 ** 40), FORMAT, /conv_L_cache/],
    ["other taps than the weights have", (c) => (c.text_config.conv_L_cache = 4), FORMAT, /conv\.weight/],
    ["an endless FFN", (c) => (c.text_config.block_ffn_dim_multiplier = 1e300), FORMAT, /block_ffn_dim_multiplier/],
    ["a negative FFN", (c) => (c.text_config.block_ffn_dim_multiplier = -1), FORMAT, /block_ffn_dim_multiplier/],
    ["an FFN of huge steps", (c) => (c.text_config.block_multiple_of = 2 ** 40), FORMAT, /block_multiple_of/],
    ["an FFN without a width", (c) => (c.text_config.block_ff_dim = 1), FORMAT, /block_ff_dim/],
    [
      "a layer that is not there",
      (c) => {
        delete c.text_config.layer_types;
        c.text_config.full_attn_idxs = [2, 6];
      },
      FORMAT,
      /full_attn_idxs/,
    ],
  ])("config.json: %s", async (_, edit, code, message) => {
    const copy = folders.copy(folderOf("lfm2-vl"), "config.json", (json) => void edit(json));
    await expect(loadModel(copy)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each<[string, (json: Loose) => void, RegExp]>([
    ["tiles that make no squares", (c) => (c.tile_size = 20), /tile_size/],
    ["too many tiles", (c) => (c.max_tiles = 1e9), /max_tiles/],
    ["no tiles", (c) => (c.min_tiles = 0), /min_tiles/],
    ["more tiles at least than at most", (c) => (c.min_tiles = 7), /min_tiles/],
    ["no rows", (c) => (c.min_image_tokens = 0), /min_image_tokens/],
    ["too many rows", (c) => (c.max_image_tokens = 1e9), /max_image_tokens/],
    ["no patch", (c) => (c.encoder_patch_size = 0), /encoder_patch_size/],
  ])("preprocessor_config.json: %s", async (_, edit, message) => {
    const copy = folders.copy(folderOf("lfm2-vl"), "preprocessor_config.json", (json) => void edit(json));
    await expect(loadImagePreprocessor(copy)).rejects.toMatchObject({
      code: FORMAT,
      message: expect.stringMatching(message),
    });
  });
});
