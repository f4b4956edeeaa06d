// Milliseconds that each method takes to choose rows of one picture, at 576, 1,024 and 2,916 rows (24, 32 and 54 patches
// a side) of 4,096 floats, as in LLaVA-1.5-7B; rows of the tower are 1,024 floats.
//
//   node bench/selection-overhead.mjs [repetitions, default 3] [sides, default 24,32,54] [methods, default all]
//
// The model is made up: random weights with the true widths, heads and four decoder layers, but a narrow FFN, which
// choosing does not see. Half a gigabyte per size in the system's temporary folder while it runs. Markdown on standard
// output: medians, methods in turn within each repetition, so that whatever else the machine does falls on all alike.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "../dist/eval/statistics.js";
import { cpuInfo, FoveaError, loadModel } from "../dist/index.js";
import { methods } from "../dist/prune/registry.js";
import { copyTextFiles, writeWeights } from "./random-model.mjs";

const repetitions = Number(process.argv[2] ?? 3);
const sides = (process.argv[3] ?? "24,32,54").split(",").map(Number);
const wanted = process.argv[4]?.split(",") ?? [...methods.keys()];
const mini = fileURLToPath(new URL("../model/fovea-mini/", import.meta.url));
const patch = 14;
const text = { width: 4096, heads: 32, layers: 4, ffn: 256 };
const tower = { width: 1024, heads: 16, layers: 3, ffn: 256 };
/** Share of the rows that stays, where a method lets one say. */
const keep = 0.25;

/** @param {number} side - patches. */
function config(side) {
  const made = JSON.parse(readFileSync(join(mini, "config.json"), "utf8"));
  Object.assign(made, { image_seq_length: side ** 2 });
  Object.assign(made.text_config, {
    hidden_size: text.width,
    head_dim: text.width / text.heads,
    num_attention_heads: text.heads,
    num_key_value_heads: text.heads,
    num_hidden_layers: text.layers,
    intermediate_size: text.ffn,
    max_position_embeddings: 4096,
  });
  Object.assign(made.vision_config, {
    hidden_size: tower.width,
    num_attention_heads: tower.heads,
    num_hidden_layers: tower.layers,
    intermediate_size: tower.ffn,
    image_size: side * patch,
    projection_dim: tower.width,
  });
  return made;
}

/**
 * Names and shapes of the weights.
 *
 * @param {number} side
 * @param {number} vocab
 * @returns {Generator<[string, number[]]>}
 */
function* shapes(side, vocab) {
  /** @type {(name: string, out: number, into: number, bias?: boolean) => Generator<[string, number[]]>} */
  const linear = function* (name, out, into, bias) {
    yield [`${name}.weight`, [out, into]];
    if (bias) yield [`${name}.bias`, [out]];
  };
  const { width: d, ffn } = text;
  yield ["language_model.model.embed_tokens.weight", [vocab, d]];
  yield ["language_model.model.norm.weight", [d]];
  for (let i = 0; i < text.layers; i++) {
    const layer = `language_model.model.layers.${i}`;
    for (const part of ["q", "k", "v", "o"]) yield* linear(`${layer}.self_attn.${part}_proj`, d, d);
    for (const part of ["gate", "up"]) yield* linear(`${layer}.mlp.${part}_proj`, ffn, d);
    yield* linear(`${layer}.mlp.down_proj`, d, ffn);
    for (const norm of ["input", "post_attention"]) yield [`${layer}.${norm}_layernorm.weight`, [d]];
  }
  const { width: v } = tower;
  yield* linear("multi_modal_projector.linear_1", d, v, true);
  yield* linear("multi_modal_projector.linear_2", d, d, true);
  yield ["vision_tower.embeddings.class_embedding", [v]];
  yield ["vision_tower.embeddings.patch_embedding.weight", [v, 3, patch, patch]];
  yield ["vision_tower.embeddings.position_embedding.weight", [side ** 2 + 1, v]];
  for (const norm of ["pre_layrnorm", "post_layernorm"]) yield* norms(`vision_tower.${norm}`, v);
  for (let i = 0; i < tower.layers; i++) {
    const layer = `vision_tower.encoder.layers.${i}`;
    for (const part of ["q_proj", "k_proj", "v_proj", "out_proj"])
      yield* linear(`${layer}.self_attn.${part}`, v, v, true);
    yield* linear(`${layer}.mlp.fc1`, tower.ffn, v, true);
    yield* linear(`${layer}.mlp.fc2`, v, tower.ffn, true);
    for (const norm of ["layer_norm1", "layer_norm2"]) yield* norms(`${layer}.${norm}`, v);
  }
}

/**
 * @param {string} name
 * @param {number} width
 * @returns {Generator<[string, number[]]>}
 */
function* norms(name, width) {
  yield [`${name}.weight`, [width]];
  yield [`${name}.bias`, [width]];
}

/**
 * A folder with the model.
 *
 * @param {number} side
 */
function makeModel(side) {
  const folder = mkdtempSync(join(tmpdir(), "fovea-selection-"));
  const made = config(side);
  writeFileSync(join(folder, "config.json"), JSON.stringify(made));
  const processor = JSON.parse(readFileSync(join(mini, "preprocessor_config.json"), "utf8"));
  processor.size = { shortest_edge: side * patch };
  processor.crop_size = { height: side * patch, width: side * patch };
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(processor));
  copyTextFiles(mini, folder);
  writeWeights(join(folder, "model.safetensors"), shapes(side, made.text_config.vocab_size));
  return folder;
}

/**
 * The stage to measure: a quarter of the rows where the method has such an option, else as its authors have it.
 *
 * @param {import("../dist/prune/method.js").Method} method
 */
function stageOf({ name, options }) {
  /** @type {import("../dist/prune/option.js").OptionSpec | undefined} */
  const spec = /** @type {Record<string, import("../dist/prune/option.js").OptionSpec>} */ (options).keep;
  const isShare = spec?.kind === "ratio" && spec.list === undefined;
  return { method: name, ...(isShare && { keep }) };
}

/** @type {Map<string, string[]>} */
const table = new Map([...methods.keys()].map((name) => [name, []]));
for (const side of sides) {
  const folder = makeModel(side);
  try {
    const model = await loadModel(folder);
    const edge = side * patch;
    const data = new Uint8Array(3 * edge * edge).map((_, i) => (Math.imul(i, 2654435761) >>> 24) ^ (i >> 6));
    /** @type {import("../dist/index.js").GenerateOptions} */
    const request = {
      messages: [{ role: "user", content: "What objects are in the image?" }],
      images: [{ width: edge, height: edge, data }],
      maxTokens: 1,
      cache: false,
    };
    /** @type {Map<string, number[]>} */
    const times = new Map();
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const [name, method] of methods) {
        if (!wanted.includes(name)) continue;
        try {
          const { timings } = await model.generate({ ...request, plan: { stages: [stageOf(method)] } });
          times.set(name, [...(times.get(name) ?? []), timings.select]);
        } catch (error) {
          if (!FoveaError.isInstance(error) || error.code !== "ERR_FOVEA_PLAN") throw error; // a method that wants a file, a function or more layers
        }
      }
    }
    for (const [name, row] of table) row.push(times.has(name) ? median(times.get(name) ?? []).toFixed(1) : "");
    await model.dispose();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const { brand, tier, cores } = cpuInfo();
console.log(`${brand}, ${tier}, ${cores} cores; medians of ${repetitions}\n`);
console.log(
  `| method | ${sides.map((side) => `${side ** 2} rows`).join(" | ")} |\n|---|${sides.map(() => "---|").join("")}`,
);
for (const [name, row] of table) if (row.some((text) => text !== "")) console.log(`| ${name} | ${row.join(" | ")} |`);
