import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type FoveaErrorCode, loadModel, type Model } from "../../lib/index.js";
import { ask, content, picture, refusal } from "../engine/fixtures.js";
import { editBytes, editJson, editTensors, remove, removeCopiesAfterwards, tinyModel, write } from "./damaged-model.js";

/** What is wrong, what it must be called, and what the message must name. */
type Case = [name: string, damage: (folder: string) => void, code: FoveaErrorCode, message: RegExp];

const FORMAT = "ERR_FOVEA_MODEL_FORMAT";
const UNSUPPORTED = "ERR_FOVEA_MODEL_UNSUPPORTED";
const NOT_FOUND = "ERR_FOVEA_MODEL_NOT_FOUND";
const NUMERIC = "ERR_FOVEA_NUMERIC";

const question = { messages: ask("abc", 1), maxTokens: 3, logprobs: 1 };

removeCopiesAfterwards();

let healthy: Model;
let answer: unknown;
beforeAll(async () => {
  healthy = await loadModel(tinyModel());
  answer = content(await healthy.generate(question));
});
afterAll(() => healthy.dispose());

/** The model that was loaded before still answers, and the same folder, undamaged, loads and answers. */
async function expectAllWell(): Promise<void> {
  expect(content(await healthy.generate(question))).toEqual(answer);
  await using again = await loadModel(tinyModel());
  expect(content(await again.generate(question))).toEqual(answer);
}

function refuses(title: string, cases: Case[], from?: string): void {
  describe(title, () => {
    it.each(cases)("%s", async (_, damage, code, message) => {
      const got = await refusal(loadModel(tinyModel(damage, from)));
      expect(got.message).toMatch(message);
      expect(got.code, got.message).toBe(code);
    });
    it("and the process loads and answers as before", expectAllWell);
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the point is to write what does not belong there
type Loose = any;
const config = (edit: (json: Loose) => void) => editJson("config.json", edit);
const text = (key: string, value: unknown) => config((c) => Object.assign(c.text_config, { [key]: value }));
const vision = (key: string, value: unknown) => config((c) => Object.assign(c.vision_config, { [key]: value }));

refuses("a config.json is refused when", [
  ["it is missing", remove("config.json"), NOT_FOUND, /config\.json/],
  [
    "it is a folder",
    (f) => [rmSync(join(f, "config.json")), mkdirSync(join(f, "config.json"))],
    FORMAT,
    /config\.json/,
  ],
  ["it is empty", write("config.json", ""), FORMAT, /config\.json/],
  ["it is not JSON", write("config.json", "{'model_type': 'llava'}"), FORMAT, /config\.json/],
  ["it is cut off", write("config.json", '{"model_type": "llava", "text_config": {'), FORMAT, /config\.json/],
  ["it is no object", write("config.json", "[1, 2]"), FORMAT, /config\.json/],
  ["it is nested without end", write("config.json", "[".repeat(100_000)), FORMAT, /config\.json/],
  ["model_type is unknown", config((c) => Object.assign(c, { model_type: "blip" })), UNSUPPORTED, /"blip".*llava/],
  ["model_type is missing", config((c) => delete c.model_type), FORMAT, /model_type/],
  ["model_type is a number", config((c) => Object.assign(c, { model_type: 3 })), FORMAT, /model_type/],
  ["vision_config is missing", config((c) => delete c.vision_config), FORMAT, /vision_config/],
  ["text_config is a list", config((c) => Object.assign(c, { text_config: [] })), FORMAT, /text_config/],
  ["the tower is unknown", vision("model_type", "siglip_vision_model"), UNSUPPORTED, /vision_config.*siglip/],
  ["the decoder is unknown", text("model_type", "mamba"), UNSUPPORTED, /text_config.*mamba/],
  ["hidden_size is absurd", text("hidden_size", 1e9), FORMAT, /hidden_size.*1000000000/],
  ["hidden_size is beyond 64 bits", text("hidden_size", 1e30), FORMAT, /hidden_size/],
  ["hidden_size is a string", text("hidden_size", "32"), FORMAT, /hidden_size/],
  ["hidden_size is 0", text("hidden_size", 0), FORMAT, /hidden_size/],
  ["hidden_size is negative", text("hidden_size", -32), FORMAT, /hidden_size/],
  ["hidden_size is a fraction", text("hidden_size", 32.5), FORMAT, /hidden_size/],
  ["hidden_size is not that of the weights", text("hidden_size", 64), FORMAT, /weight.*expected/],
  ["there are 0 layers", text("num_hidden_layers", 0), FORMAT, /num_hidden_layers/],
  ["there are 1e9 layers", text("num_hidden_layers", 1e9), FORMAT, /num_hidden_layers/],
  ["there are more layers than weights", text("num_hidden_layers", 3), FORMAT, /layers\.2\..*missing/],
  ["heads do not divide", text("num_key_value_heads", 3), FORMAT, /num_key_value_heads/],
  ["heads do not divide the tower", vision("num_attention_heads", 3), FORMAT, /num_attention_heads/],
  ["heads are odd", text("head_dim", 7), FORMAT, /head_dim/],
  ["heads are huge", text("head_dim", 1024), FORMAT, /head_dim/],
  ["the vocabulary is absurd", text("vocab_size", 2 ** 40), FORMAT, /vocab_size/],
  ["the vocabulary is not that of the weights", text("vocab_size", 65), FORMAT, /embed_tokens/],
  ["the context is absurd", text("max_position_embeddings", 2 ** 50), FORMAT, /max_position_embeddings/],
  ["the activation is unknown", text("hidden_act", "swoosh"), UNSUPPORTED, /hidden_act.*swoosh|swoosh.*hidden_act/],
  ["the rope type is unknown", text("rope_parameters", { rope_type: "wild", rope_theta: 1e4 }), UNSUPPORTED, /wild/],
  ["rope_theta is negative", text("rope_parameters", { rope_type: "default", rope_theta: -1 }), FORMAT, /rope_theta/],
  ["rms_norm_eps is a string", text("rms_norm_eps", "small"), FORMAT, /rms_norm_eps/],
  ["patches have no size", vision("patch_size", 0), FORMAT, /patch_size/],
  ["images are absurd", vision("image_size", 1e6), FORMAT, /image_size/],
  ["patches are too many", vision("image_size", 8192), FORMAT, /patch_size|position_embedding/],
  ["images have 4 channels", vision("num_channels", 4), FORMAT, /num_channels/],
  [
    "the feature layer is none",
    config((c) => Object.assign(c, { vision_feature_layer: 99 })),
    FORMAT,
    /vision_feature_layer.*99/,
  ],
  [
    "the feature layer is a word",
    config((c) => Object.assign(c, { vision_feature_layer: "last" })),
    FORMAT,
    /vision_feature_layer/,
  ],
  [
    "the feature layers are none",
    config((c) => Object.assign(c, { vision_feature_layer: [] })),
    FORMAT,
    /vision_feature_layer/,
  ],
  [
    "the select strategy is unknown",
    config((c) => Object.assign(c, { vision_feature_select_strategy: "best" })),
    FORMAT,
    /vision_feature_select_strategy/,
  ],
  ["the image token is negative", config((c) => Object.assign(c, { image_token_index: -1 })), FORMAT, /image_token/],
]);

const bias = "multi_modal_projector.linear_1.bias";
const matrix = "language_model.model.layers.0.self_attn.q_proj.weight";
const weights = "model.safetensors";
/** The header's size field replaced. */
const headerSize = (size: bigint) =>
  editBytes((bytes) => {
    bytes.writeBigUInt64LE(size);
    return bytes;
  });
const cut = (at: (size: number, header: number) => number) =>
  editBytes((bytes, header) => bytes.subarray(0, at(bytes.length, header)));
const tensor = (name: string, change: object) => editTensors((header) => Object.assign(header[name] as object, change));

refuses("weights are refused when", [
  ["they are missing", remove(weights), NOT_FOUND, /no weights.*model\.safetensors/],
  ["they are a folder", (f) => [rmSync(join(f, weights)), mkdirSync(join(f, weights))], FORMAT, /model\.safetensors/],
  [
    "they are a device",
    (f) => [rmSync(join(f, weights)), symlinkSync("/dev/zero", join(f, weights))],
    FORMAT,
    /model\.safetensors/,
  ],
  ["0 bytes are left", cut(() => 0), FORMAT, /model\.safetensors.*(empty|truncated)/],
  ["7 bytes are left", cut(() => 7), FORMAT, /truncated/],
  ["8 bytes are left", cut(() => 8), FORMAT, /truncated/],
  ["half of the header is left", cut((_, header) => 8 + header / 2), FORMAT, /truncated/],
  ["only the header is left", cut((_, header) => 8 + header), FORMAT, /truncated/],
  ["half of the data is left", cut((size) => size / 2), FORMAT, /truncated/],
  ["the last byte is gone", cut((size) => size - 1), FORMAT, /truncated/],
  ["a byte too many is there", editBytes((b) => Buffer.concat([b, Buffer.alloc(1)])), FORMAT, /1 bytes after the last/],
  ["the header claims 0 bytes", headerSize(0n), FORMAT, /header/],
  ["the header claims 1 byte", headerSize(1n), FORMAT, /model\.safetensors/],
  [
    "the header claims a byte too few",
    editBytes((bytes, size) => {
      bytes.writeBigUInt64LE(BigInt(size - 1));
      return bytes;
    }),
    FORMAT,
    /model\.safetensors/,
  ],
  ["the header claims more than the file", headerSize(1_000_000n), FORMAT, /claims 1000000 bytes/],
  ["the header claims 2 ** 62 bytes", headerSize(2n ** 62n), FORMAT, /claims 4611686018427387904/],
  ["the header claims -1 bytes", headerSize(2n ** 64n - 1n), FORMAT, /claims 18446744073709551615/],
  [
    "they are something else",
    write(weights, Buffer.from("GGUF and so on, more than eight bytes")),
    FORMAT,
    /safetensors file\?/,
  ],
  [
    "they are a Git LFS pointer",
    write(weights, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    FORMAT,
    /safetensors file\?/,
  ],
  ["the header is no JSON", editBytes((bytes) => bytes.fill("x", 20, 40)), FORMAT, /model\.safetensors/],
  ["tensors overlap", tensor(bias, { data_offsets: [0, 128] }), FORMAT, /overlap/],
  ["a hole is between tensors", editTensors((h) => delete h[bias]), FORMAT, /hole/],
  ["offsets are out of range", tensor(bias, { data_offsets: [68224, 2 ** 40] }), FORMAT, new RegExp(`${bias} lies at`)],
  ["offsets are beyond 53 bits", tensor(bias, { data_offsets: [68224, 1e18] }), FORMAT, new RegExp(bias)],
  ["offsets are negative", tensor(bias, { data_offsets: [-128, 0] }), FORMAT, new RegExp(bias)],
  ["offsets are reversed", tensor(bias, { data_offsets: [68352, 68224] }), FORMAT, new RegExp(bias)],
  ["offsets are fractions", tensor(bias, { data_offsets: [68224.5, 68352.5] }), FORMAT, new RegExp(bias)],
  ["offsets are three", tensor(bias, { data_offsets: [68224, 68352, 1] }), FORMAT, new RegExp(bias)],
  ["a dtype is unknown", tensor(bias, { dtype: "F31" }), FORMAT, new RegExp(`${bias}.*F31`)],
  ["a dtype has another size", tensor(bias, { dtype: "F64" }), FORMAT, new RegExp(bias)],
  ["a dtype is no float", tensor(bias, { dtype: "I32" }), UNSUPPORTED, new RegExp(`${bias}.*I32`)],
  ["a shape is negative", tensor(bias, { shape: [-32] }), FORMAT, new RegExp(bias)],
  ["a shape overflows", tensor(bias, { shape: [2 ** 40, 2 ** 40] }), FORMAT, new RegExp(`${bias} overflows`)],
  ["a shape has too many dimensions", tensor(bias, { shape: Array(100).fill(1) }), FORMAT, new RegExp(bias)],
  ["a shape is not the config's", tensor(bias, { shape: [4, 8] }), FORMAT, new RegExp(`${bias}.*\\(4, 8\\).*\\(32\\)`)],
  [
    "a matrix is transposed",
    tensor("multi_modal_projector.linear_1.weight", { shape: [16, 32] }),
    FORMAT,
    /linear_1\.weight/,
  ],
  [
    "a tensor is missing",
    editTensors((h) => Object.assign(h, { other: h[bias], [bias]: undefined })),
    FORMAT,
    new RegExp(`${bias}.*missing`),
  ],
  [
    "the projector is missing",
    editTensors((h) => {
      for (const name of Object.keys(h)) {
        if (name.startsWith("multi_modal")) Object.assign(h, { [`x${name}`]: h[name], [name]: undefined });
      }
    }),
    FORMAT,
    /multi_modal_projector/,
  ],
  [
    "a bias holds NaN",
    editTensors((h, data) => data.writeFloatLE(Number.NaN, h[bias]?.data_offsets[0])),
    NUMERIC,
    new RegExp(bias),
  ],
  [
    "a norm holds infinity",
    editTensors((h, data) =>
      data.writeFloatLE(Number.POSITIVE_INFINITY, h["language_model.model.norm.weight"]?.data_offsets[0]),
    ),
    NUMERIC,
    /model\.norm/,
  ],
  [
    "a matrix holds NaN",
    editTensors((h, data) => data.writeFloatLE(Number.NaN, h[matrix]?.data_offsets[0])),
    NUMERIC,
    new RegExp(matrix),
  ],
  [
    "a matrix holds infinity at its end",
    editTensors((h, data) => data.writeFloatLE(Number.NEGATIVE_INFINITY, (h[matrix]?.data_offsets[1] ?? 0) - 4)),
    NUMERIC,
    new RegExp(matrix),
  ],
]);

const index = "model.safetensors.index.json";
const second = "model-00002-of-00002.safetensors";
const shardOf = (name: string, shard: unknown) =>
  editJson(index, (json: Loose) => Object.assign(json.weight_map, { [name]: shard }));
refuses(
  "shards are refused when",
  [
    ["one is missing", remove(second), NOT_FOUND, new RegExp(second)],
    ["one is truncated", write(second, ""), FORMAT, new RegExp(second)],
    ["one lies outside the folder", shardOf(bias, `../${second}`), FORMAT, /weight_map|multi_modal/],
    ["one has an absolute path", shardOf(bias, "/etc/passwd"), FORMAT, /weight_map|multi_modal/],
    ["one has no name", shardOf(bias, ""), FORMAT, /weight_map|multi_modal/],
    ["one is a number", shardOf(bias, 2), FORMAT, /weight_map|multi_modal/],
    ["a tensor is in another one", shardOf(bias, second), FORMAT, new RegExp(`${bias}|multi_modal`)],
    ["the index knows a tensor that none holds", shardOf("more", second), FORMAT, /more is missing/],
    ["the index has no weight_map", editJson(index, (json: Loose) => delete json.weight_map), FORMAT, /weight_map/],
    ["the weight_map is empty", write(index, '{"weight_map": {}}'), FORMAT, /weight_map/],
    ["the index is no JSON", write(index, "weight_map:"), FORMAT, new RegExp(index)],
    ["the index is missing", remove(index), NOT_FOUND, /no weights/],
  ],
  "sharded",
);

describe("without the files that text needs, forward() still works and the rest says what is missing:", () => {
  const tokenizer = /tokenizer/;
  const cases: Case[] = [
    ["tokenizer.json missing", remove("tokenizer.json"), NOT_FOUND, /tokenizer\.json/],
    ["tokenizer.json empty", write("tokenizer.json", ""), FORMAT, /tokenizer\.json/],
    ["tokenizer.json an object without a model", write("tokenizer.json", "{}"), FORMAT, tokenizer],
    [
      "tokenizer.json with a model of no known type",
      editJson("tokenizer.json", (t: Loose) => Object.assign(t, { model: { type: "Magic" } })),
      UNSUPPORTED,
      /tokenizer|Magic/,
    ],
    ["chat template missing", remove("chat_template.jinja"), UNSUPPORTED, /chat_template\.jinja/],
    ["chat template broken", write("chat_template.jinja", "{% for m in %}"), UNSUPPORTED, /chat.template/],
    ["generation_config.json no JSON", write("generation_config.json", "x"), FORMAT, /generation_config\.json/],
    ["preprocessor_config.json no JSON", write("preprocessor_config.json", "x"), FORMAT, /preprocessor_config\.json/],
    [
      "preprocessor_config.json with a word for a size",
      editJson("preprocessor_config.json", (p: Loose) => Object.assign(p, { size: "big" })),
      FORMAT,
      /size/,
    ],
    [
      "preprocessor_config.json with std 0",
      editJson("preprocessor_config.json", (p: Loose) => Object.assign(p, { image_std: [1, 0, 1] })),
      FORMAT,
      /image_std/,
    ],
  ];
  it.each(cases)("%s", async (_, damage, code, message) => {
    const inputs = await healthy.process(question.messages);
    await using model = await loadModel(tinyModel(damage));
    const { logits } = await model.forward(inputs, { logitsToKeep: 1 });
    expect(logits.data).toEqual((await healthy.forward(inputs, { logitsToKeep: 1 })).logits.data);
    for (const call of [model.generate(question), model.process(question.messages)]) {
      const got = await refusal(call);
      expect(got.message).toMatch(message);
      expect(got.code, got.message).toBe(code);
    }
  });
});

describe("loadModel() refuses", () => {
  // No test asks the hub.
  beforeAll(() => void vi.stubEnv("HF_HUB_OFFLINE", "1"));
  afterAll(() => void vi.unstubAllEnvs());
  const wrong: [unknown, object | null | undefined, FoveaErrorCode, RegExp][] = [
    ["/no/such/folder", {}, NOT_FOUND, /\/no\/such\/folder/],
    [picture(0), {}, NOT_FOUND, /000\.webp/],
    ["owner/name", {}, "ERR_FOVEA_OFFLINE", /owner\/name/],
    ["../..//..", {}, NOT_FOUND, /config\.json/],
    ["", {}, "ERR_FOVEA_INVALID_ARGUMENT", /name/],
    [null, {}, "ERR_FOVEA_INVALID_ARGUMENT", /name/],
    [7, {}, "ERR_FOVEA_INVALID_ARGUMENT", /name/],
    ["fovea-mini", null, "ERR_FOVEA_INVALID_ARGUMENT", /options/],
    ["fovea-mini", { dtype: "x" }, "ERR_FOVEA_INVALID_ARGUMENT", /dtype.*"x"/],
    ["fovea-mini", { dtype: 16 }, "ERR_FOVEA_INVALID_ARGUMENT", /dtype/],
    ...[-1, 1.5, 1e9, Number.NaN, "2", 2 ** 60].map(
      (threads) =>
        ["fovea-mini", { threads }, "ERR_FOVEA_INVALID_ARGUMENT", /threads/] as [
          unknown,
          object,
          FoveaErrorCode,
          RegExp,
        ],
    ),
  ];
  it.each(wrong)("%j with %j", async (name, options, code, message) => {
    const got = await refusal(loadModel(name as string, options as object));
    expect(got.message).toMatch(message);
    expect(got.code).toBe(code);
  });
  it("and the process loads and answers as before", expectAllWell);
});

describe("weights that only some prompts read", () => {
  it("fail those prompts with ERR_FOVEA_NUMERIC, and no others", async () => {
    const row = (id: number) => (h: Loose, data: Buffer) => {
      const [begin] = h["language_model.model.embed_tokens.weight"].data_offsets;
      data.writeFloatLE(Number.NaN, begin + id * 32 * 4 + 12);
    };
    const { input_ids } = await healthy.process(ask("ab"));
    const id = Number(input_ids.data[0]);
    const load = loadModel(tinyModel(editTensors(row(id))));
    const model = await load.catch((error) => error);
    if (model instanceof Error) {
      expect(model).toMatchObject({ code: NUMERIC });
      return;
    }
    expect(await refusal(model.generate({ messages: ask("ab"), maxTokens: 2 }))).toMatchObject({ code: NUMERIC });
    expect((await model.generate({ messages: ask("cd"), maxTokens: 1 })).tokens.length).toBeLessThanOrEqual(1);
    await model.dispose();
  });
});
