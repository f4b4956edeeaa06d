// Folders of made-up weights at the true shapes of published models, for measuring: a tiny checkpoint of the family
// (test/golden) says which tensors there are and lends its tokenizer, template and processor.
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @param {string} path - from the checkout's root. */
const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/**
 * @typedef {object} TrueSize
 * @property {string} weights - folder of the tiny checkpoint.
 * @property {string} files - folder of tokenizer, template and processor.
 * @property {[RegExp, Record<number, number>][]} sizes - of the first pattern that a tensor's name matches: the true
 *   size for each tiny one.
 * @property {[RegExp, number][]} layers - how many layers, where the number in the name stands in place of `N`.
 * @property {(config: any) => void} configure - makes the tiny config the true one.
 * @property {(processor: any, joint: any) => void} prepare - the same for preprocessor_config.json and
 *   processor_config.json.
 */

/** CLIP-L/14 for 336 pixels, the tower of LLaVA-1.5 and LLaVA-NeXT. */
const clipLarge = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  image_size: 336,
  patch_size: 14,
  projection_dim: 768,
};

/** @type {TrueSize["layers"]} */
const llavaLayers = [
  [/language_model\.model\.layers\.N\./, 32],
  [/vision_tower\.encoder\.layers\.N\./, 24],
];

/** Heights and widths that LLaVA-NeXT cuts into tiles. */
const nextGrids = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
];

/** @type {Record<string, TrueSize>} */
export const trueSizes = {
  "SmolVLM-256M": {
    weights: here("test/golden/idefics3/smolvlm"),
    files: here("test/golden/idefics3/smolvlm"),
    sizes: [
      [/connector/, { 48: 576, 288: 16 * 768 }],
      [/text_model|lm_head/, { 278: 49280, 48: 576, 16: 192, 64: 1536 }],
      [/vision_model/, { 32: 768, 48: 3072, 36: 1024, 5: 16 }],
    ],
    layers: [
      [/text_model\.layers\.N\./, 30],
      [/vision_model\.encoder\.layers\.N\./, 12],
    ],
    configure(config) {
      config.scale_factor = 4;
      Object.assign(config.text_config, {
        hidden_size: 576,
        intermediate_size: 1536,
        num_hidden_layers: 30,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        head_dim: 64,
        vocab_size: 49280,
        max_position_embeddings: 8192,
      });
      Object.assign(config.vision_config, {
        hidden_size: 768,
        intermediate_size: 3072,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        image_size: 512,
        patch_size: 16,
      });
    },
    prepare(processor, joint) {
      processor.max_image_size.longest_edge = 512;
      processor.size.longest_edge = 2048;
      joint.image_seq_len = 64;
    },
  },
  "SmolVLM-2.2B": {
    weights: here("test/golden/idefics3/smolvlm"),
    files: here("test/golden/idefics3/smolvlm"),
    sizes: [
      [/connector/, { 48: 2048, 288: 9 * 1152 }],
      [/text_model|lm_head/, { 278: 49155, 48: 2048, 16: 2048, 64: 8192 }],
      [/vision_model/, { 32: 1152, 48: 4304, 36: 729, 5: 14 }],
    ],
    layers: [
      [/text_model\.layers\.N\./, 24],
      [/vision_model\.encoder\.layers\.N\./, 27],
    ],
    configure(config) {
      config.scale_factor = 3;
      Object.assign(config.text_config, {
        hidden_size: 2048,
        intermediate_size: 8192,
        num_hidden_layers: 24,
        num_attention_heads: 32,
        num_key_value_heads: 32,
        head_dim: 64,
        vocab_size: 49155,
        max_position_embeddings: 16384,
      });
      Object.assign(config.vision_config, {
        hidden_size: 1152,
        intermediate_size: 4304,
        num_hidden_layers: 27,
        num_attention_heads: 16,
        image_size: 384,
        patch_size: 14,
      });
    },
    prepare(processor, joint) {
      processor.max_image_size.longest_edge = 384;
      processor.size.longest_edge = 1536;
      joint.image_seq_len = 81;
    },
  },
  "Qwen2-VL-2B": {
    weights: here("test/golden/qwen_vl/qwen2_vl"),
    files: here("test/golden/qwen_vl/qwen2_vl"),
    sizes: [
      [/visual\.merger/, { 32: 1280, 128: 5120, 48: 1536 }],
      [/visual\.blocks/, { 32: 1280, 96: 3840, 64: 5120 }],
      [/visual\.patch_embed/, { 32: 1280, 4: 14 }],
      [/^/, { 262: 151936, 48: 1536, 24: 256, 64: 8960 }],
    ],
    layers: [
      [/^model\.layers\.N\./, 28],
      [/visual\.blocks\.N\./, 32],
    ],
    configure(config) {
      Object.assign(config, {
        hidden_size: 1536,
        intermediate_size: 8960,
        num_hidden_layers: 28,
        num_attention_heads: 12,
        num_key_value_heads: 2,
        vocab_size: 151936,
        max_position_embeddings: 32768,
        rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
      });
      delete config.layer_types;
      Object.assign(config.vision_config, {
        depth: 32,
        embed_dim: 1280,
        hidden_size: 1536,
        mlp_ratio: 4,
        num_heads: 16,
        patch_size: 14,
      });
    },
    prepare(processor) {
      processor.patch_size = 14;
      delete processor.min_pixels; // would win over size
      delete processor.max_pixels;
      processor.size = { shortest_edge: 56 * 56, longest_edge: 28 * 28 * 1280 };
    },
  },
  "LLaVA-1.5-7B": {
    weights: here("test/golden/variants/f16-full-mha"),
    files: here("model/fovea-mini"),
    sizes: [
      [/vision_tower/, { 16: 1024, 32: 4096, 5: 577 }],
      [/multi_modal_projector/, { 16: 1024, 32: 4096 }],
      [/language_model/, { 64: 32064, 32: 4096, 48: 11008 }],
    ],
    layers: llavaLayers,
    configure(config) {
      config.vision_feature_select_strategy = "default";
      config.image_token_index = JSON.parse(
        readFileSync(here("model/fovea-mini/config.json"), "utf8"),
      ).image_token_index;
      Object.assign(config.text_config, {
        hidden_size: 4096,
        intermediate_size: 11008,
        num_hidden_layers: 32,
        num_attention_heads: 32,
        num_key_value_heads: 32,
        head_dim: 128,
        vocab_size: 32064,
        max_position_embeddings: 4096,
      });
      Object.assign(config.vision_config, clipLarge);
    },
    prepare(processor) {
      processor.size = { shortest_edge: 336 };
      processor.crop_size = { height: 336, width: 336 };
    },
  },
  // A square picture of 672 pixels and more is 2,928 rows.
  "LLaVA-NeXT-7B": {
    weights: here("test/golden/llava-next/llava-next"),
    files: here("test/golden/llava-next/llava-next"),
    sizes: [
      [/vision_tower/, { 32: 1024, 48: 4096, 6: 14, 17: 577 }],
      [/multi_modal_projector|image_newline/, { 32: 1024, 48: 4096 }],
      [/language_model/, { 260: 32064, 48: 4096, 16: 1024, 64: 14336 }],
    ],
    layers: llavaLayers,
    configure(config) {
      config.image_grid_pinpoints = nextGrids;
      Object.assign(config.text_config, {
        hidden_size: 4096,
        intermediate_size: 14336,
        num_hidden_layers: 32,
        num_attention_heads: 32,
        num_key_value_heads: 8,
        head_dim: 128,
        vocab_size: 32064,
        max_position_embeddings: 32768,
      });
      Object.assign(config.vision_config, clipLarge);
    },
    prepare(processor, joint) {
      for (const settings of [processor, joint.image_processor]) {
        settings.size = { shortest_edge: 336 };
        settings.crop_size = { height: 336, width: 336 };
        settings.image_grid_pinpoints = nextGrids;
      }
      joint.patch_size = 14;
    },
  },
};

/** @param {string} path @returns {any} */
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/**
 * Names and shapes of a safetensors file.
 *
 * @param {string} path
 * @returns {[string, number[]][]}
 */
function readShapes(path) {
  const file = openSync(path, "r");
  const length = Buffer.alloc(8);
  readSync(file, length);
  const json = Buffer.alloc(Number(length.readBigUInt64LE()));
  readSync(file, json);
  closeSync(file);
  return Object.entries(JSON.parse(json.toString()))
    .filter(([name]) => name !== "__metadata__")
    .map(([name, { shape }]) => [name, shape]);
}

/**
 * The tensors of the true model.
 *
 * @param {TrueSize} model
 * @returns {Generator<[string, number[]]>}
 */
function* trueShapes({ weights, sizes, layers }) {
  for (const [name, tiny] of readShapes(join(weights, "model.safetensors"))) {
    const map = sizes.find(([pattern]) => pattern.test(name))?.[1] ?? {};
    const shape = tiny.map((size) => map[size] ?? size);
    const any = name.replace(/\.\d+\./, ".N.");
    const repeat = layers.find(([pattern]) => pattern.test(any));
    if (repeat === undefined) yield [name, shape];
    else if (/\.0\./.test(name)) for (let i = 0; i < repeat[1]; i++) yield [any.replace(".N.", `.${i}.`), shape];
  }
}

/**
 * bf16 numbers of this spread around 0, or around 1 for the gains of norms.
 *
 * @param {number} count
 * @param {number} size
 * @param {number} middle
 */
function randomBf16(count, size, middle) {
  const bits = new Uint16Array(count);
  const float = new Float32Array(1);
  const word = new Uint32Array(float.buffer);
  let state = 12345;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    float[0] = middle + size * (state / 2 ** 31 - 1);
    bits[i] = Number(word[0]) >>> 16;
  }
  return Buffer.from(bits.buffer);
}

/**
 * Writes a bf16 safetensors file of random weights, which repeat after some millions of numbers.
 *
 * @param {string} path
 * @param {Iterable<[string, number[]]>} shapes
 */
export function writeWeights(path, shapes) {
  /** @type {Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>} */
  const header = {};
  let end = 0;
  for (const [name, shape] of shapes) {
    const begin = end;
    end += 2 * shape.reduce((product, n) => product * n, 1);
    header[name] = { dtype: "BF16", shape, data_offsets: [begin, end] };
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const weights = randomBf16(2 ** 22 + 7, 0.03, 0);
  const ones = randomBf16(2 ** 13, 0.01, 1);
  const file = openSync(path, "w");
  writeSync(file, length);
  writeSync(file, json);
  for (const [name, { data_offsets }] of Object.entries(header)) {
    const source = /(norm\d?|ln_q)\.weight$/.test(name) ? ones : weights;
    for (let left = data_offsets[1] - data_offsets[0]; left > 0; left -= source.length) {
      writeSync(file, source, 0, Math.min(left, source.length));
    }
  }
  closeSync(file);
}

/**
 * Copies what is neither weights nor config, as far as it is there.
 *
 * @param {string} from
 * @param {string} to
 */
export function copyTextFiles(from, to) {
  for (const name of ["chat_template.jinja", "generation_config.json", "tokenizer.json", "tokenizer_config.json"])
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
}

/**
 * Fills an empty folder with one of the true-size models.
 *
 * @param {string} folder
 * @param {string} name
 */
export function writeRandomModel(folder, name) {
  const model = trueSizes[name];
  if (model === undefined) throw new Error(`no model ${name}; there are ${Object.keys(trueSizes).join(", ")}`);
  const config = readJson(join(model.weights, "config.json"));
  model.configure(config);
  config.dtype = "bfloat16";
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const processor = readJson(join(model.files, "preprocessor_config.json"));
  const joint = existsSync(join(model.files, "processor_config.json"))
    ? readJson(join(model.files, "processor_config.json"))
    : {};
  model.prepare(processor, joint);
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(processor));
  writeFileSync(join(folder, "processor_config.json"), JSON.stringify(joint));
  copyTextFiles(model.files, folder);
  writeWeights(join(folder, "model.safetensors"), trueShapes(model));
}
