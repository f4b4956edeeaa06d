import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Message, type Model, type RowFunction } from "../../lib/index.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";
import { expectClose } from "./compare.js";
import { expectDecodedAsPrefilled } from "./decode-as-prefill.js";
import { EditedFolders, type Loose } from "./edited-folders.js";
import { beforeProjector, testKeepAll } from "./keep-all.js";
import { readGolden } from "./read-golden.js";

/** Of PaliGemma, where every row is a patch: methods that ask for the class row, which SigLIP does not have. */
const withoutClassRow = ["pruMerge", "scope", "turbo"];

type Policy = "original" | "compact";

interface Recording {
  cutLayer: number;
  cutTokens: number;
  cases: ({ model?: string; pictures: string[]; tokens: number; text: string } & Partial<Record<Policy, string>>)[];
  publishedConfig?: object;
}

const recordings = { gemma3: "gemma3/golden", paligemma: "paligemma/golden", paligemma2: "paligemma/golden" };
type Name = keyof typeof recordings;
const names = Object.keys(recordings) as Name[];
const folderOf = (name: Name) =>
  fileURLToPath(new URL(`./${recordings[name].replace("golden", name)}`, import.meta.url));
const picture = (name: string) => fileURLToPath(new URL(`./llava-next/${name}.png`, import.meta.url));
const TOLERANCE = 1e-3;
const folders = new EditedFolders("gemma");

const messagesOf = (pictures: readonly string[]): Message[] => [
  {
    role: "user",
    content: [
      ...pictures.map((name) => ({ type: "image" as const, image: picture(name) })),
      { type: "text", text: "What is it?" },
    ],
  },
];

describe.each(names)("%s as transformers runs it", (name) => {
  const golden = readGolden<Recording>(recordings[name]);
  const cases = golden.meta.cases
    .filter((recorded) => (recorded.model ?? name) === name)
    .map((recorded) => ({ ...recorded, key: `${name}.${recorded.pictures.join("+")}` }));

  /** The inputs as recorded. */
  function inputsOf(key: string) {
    const { data, shape } = golden.bytes(`${key}.levels`);
    const pixels = Float32Array.from(data, (level) => level / 127.5 - 1);
    return { input_ids: golden.ints(`${key}.input_ids`), pixel_values: { data: pixels, shape } };
  }

  /** Half of the rows of each picture leave, those that left in the recording. */
  function cut(key: string, positions: Policy) {
    const kept = golden.ints(`${key}.kept`);
    const perImage = kept.shape[1] as number;
    const chosen: RowFunction = ({ image }) => kept.data.subarray(image * perImage, (image + 1) * perImage);
    const stage = { method: "custom", use: "chosen", layer: golden.meta.cutLayer } as const;
    return { plan: { positions, stages: [stage] }, custom: { chosen } };
  }

  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folderOf(name), { dtype: "f32" });
  });
  afterAll(() => model.dispose());

  it.each(cases)("stretches $pictures and writes their placeholders", async ({ key, pictures }) => {
    const inputs = await model.process(messagesOf(pictures));
    const expected = inputsOf(key);
    expect([...inputs.input_ids.data]).toEqual([...expected.input_ids.data]);
    expect(inputs.pixel_values?.shape).toEqual(expected.pixel_values.shape);
    let worst = 0; // NaN stays NaN and fails
    for (const [i, value] of (inputs.pixel_values?.data ?? []).entries()) {
      worst = Math.max(worst, Math.abs(value - (expected.pixel_values.data[i] as number)) * 127.5);
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it.each(cases)("features, rows and logits of $pictures", async ({ key }) => {
    const expected = golden.floats(`${key}.logits`);
    const logitsToKeep = expected.shape[0] as number;
    const { logits, visionFeatures, projected } = await model.forward(inputsOf(key), { taps: true, logitsToKeep });
    const features = golden.floats(`${key}.features`);
    const ofLast = visionFeatures?.data.subarray(-features.data.length) ?? [];
    expectClose(ofLast, features.data, TOLERANCE, "features of the last picture");
    const rows = golden.floats(`${key}.projected`);
    expect(projected?.shape).toEqual(rows.shape);
    expectClose(projected?.data ?? [], rows.data, TOLERANCE, "projected rows");
    expectClose(logits.data, expected.data, TOLERANCE, "logits");
  });

  it.each(cases)("answers $pictures with the same $tokens tokens", async ({ pictures, tokens, text }) => {
    const reply = await model.generate({ messages: messagesOf(pictures), maxTokens: tokens });
    expect(reply.text).toBe(text);
    expect(reply.usage.generatedTokens).toBe(tokens);
  });

  const policies: Policy[] = ["original", "compact"];
  it.each(policies.flatMap((policy) => cases.map((recorded) => ({ ...recorded, policy }))))(
    "logits of $pictures with half of the rows gone inside the decoder, $policy positions",
    async ({ key, policy }) => {
      const { plan, custom } = cut(key, policy);
      const { logits } = await model.forward({ ...inputsOf(key), plan }, { logitsToKeep: 1, custom });
      expectClose(logits.data, golden.floats(`${key}.cut.${policy}`).data, TOLERANCE, "logits");
    },
  );

  it.each(policies)("answers after half of the rows have gone, their windows by %s positions", async (policy) => {
    const both = cases.find(({ original }) => original !== undefined) as (typeof cases)[number];
    const reply = await model.generate({
      messages: messagesOf(both.pictures),
      maxTokens: golden.meta.cutTokens,
      ...cut(both.key, policy),
    });
    expect(reply.text).toBe(both[policy]);
  });

  it("goes on from the keys of an earlier prompt, but never from half a picture", async () => {
    const ask = (pictures: string[], text: string): Message[] => [
      { role: "user", content: [...(messagesOf(pictures)[0]?.content.slice(0, -1) as []), { type: "text", text }] },
    ];
    const cold = await loadModel(folderOf(name), { dtype: "f32", kvCacheBytes: 0 });
    try {
      for (const [pictures, question] of [
        [["wide"], "What is it?"],
        [["wide"], "What else?"],
        [["wide", "tall"], "And these?"],
        [["tall"], "And this?"],
      ] as [string[], string][]) {
        const request = { messages: ask(pictures, question), maxTokens: 12 };
        const warm = await model.generate(request);
        expect(warm.text).toBe((await cold.generate(request)).text);
      }
    } finally {
      await cold.dispose();
    }
  });

  // A longer prompt of PaliGemma is another one to all of its rows.
  it.runIf(name === "gemma3")("decodes what a prefill of the same rows computes", async () => {
    const { key, pictures } = cases.at(-1) as (typeof cases)[number];
    await expectDecodedAsPrefilled(model, messagesOf(pictures), inputsOf(key), 20);
  });

  it.runIf(golden.meta.publishedConfig)("reads the config as it was published", async () => {
    const published = await loadModel(
      folders.copy(folderOf(name), "config.json", () => golden.meta.publishedConfig),
      { dtype: "f32" },
    );
    try {
      const inputs = inputsOf(`${name}.square`);
      expect((await published.forward(inputs)).logits).toEqual((await model.forward(inputs)).logits);
    } finally {
      await published.dispose();
    }
  });

  it("measures what it costs", async () => {
    expect((await model.costModel()).encode).toBeDefined();
  });

  testKeepAll(
    () => model,
    () => inputsOf(`${name}.square`),
    name === "gemma3" ? [...beforeProjector, "scope"] : withoutClassRow,
  );
});

describe("refuses files that it would misread", () => {
  const FORMAT = "ERR_FOVEA_MODEL_FORMAT";
  const UNSUPPORTED = "ERR_FOVEA_MODEL_UNSUPPORTED";
  it.each<[Name, string, (json: Loose) => void, string, RegExp]>([
    ["gemma3", "rows that make no square", (c) => (c.mm_tokens_per_image = 12), FORMAT, /mm_tokens_per_image/],
    ["gemma3", "squares that do not fit", (c) => (c.mm_tokens_per_image = 9), FORMAT, /mm_tokens_per_image/],
    ["gemma3", "more rows than patches", (c) => (c.mm_tokens_per_image = 2 ** 40), FORMAT, /mm_tokens_per_image/],
    ["gemma3", "no window", (c) => (c.text_config.sliding_window = 0), FORMAT, /sliding_window/],
    ["gemma3", "another kind of layer", (c) => (c.text_config.layer_types[1] = "recurrent"), FORMAT, /layer_types/],
    ["gemma3", "a kind of too few layers", (c) => c.text_config.layer_types.pop(), FORMAT, /layer_types/],
    ["gemma3", "scores that do not end", (c) => (c.text_config.query_pre_attn_scalar = 0), FORMAT, /query_pre_attn_scalar/],
    ["gemma3", "a wheel that stands still", (c) => (c.text_config.rope_parameters.sliding_attention.rope_theta = 0), FORMAT, /theta/],
    ["gemma3", "another scaling", (c) => (c.text_config.rope_parameters.full_attention.rope_type = "yarn"), UNSUPPORTED, /YaRN/],
    ["gemma3", "capped scores", (c) => (c.text_config.attn_logit_softcapping = 50), UNSUPPORTED, /attn_logit_softcapping/],
    ["gemma3", "capped logits", (c) => (c.text_config.final_logit_softcapping = 30), UNSUPPORTED, /final_logit_softcapping/],
    ["gemma3", "text that sees ahead", (c) => (c.text_config.use_bidirectional_attention = true), UNSUPPORTED, /bidirectional/],
    ["gemma3", "another decoder", (c) => (c.text_config.model_type = "gemma2"), UNSUPPORTED, /gemma2/],
    ["paligemma2", "no cap", (c) => (c.text_config.attn_logit_softcapping = -1), FORMAT, /attn_logit_softcapping/],
    ["paligemma2", "a huge window", (c) => (c.text_config.sliding_window = 2 ** 40), FORMAT, /sliding_window/],
    ["paligemma2", "a causal prompt", (c) => (c.text_config.use_bidirectional_attention = false), FORMAT, /bidirectional/],
    ["paligemma2", "another decoder", (c) => (c.text_config.model_type = "gemma3_text"), UNSUPPORTED, /gemma3_text/],
  ])("%s, config.json: %s", async (name, _, edit, code, message) => {
    const copy = folders.copy(folderOf(name), "config.json", (json) => void edit(json));
    await expect(loadModel(copy)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each<[Name, string, string, (json: Loose) => void, string, RegExp]>([
    ["gemma3", "pan and scan", "preprocessor_config.json", (c) => (c.do_pan_and_scan = true), UNSUPPORTED, /do_pan_and_scan/],
    ["gemma3", "no token", "config.json", (c) => (c.boi_token_index = -1), FORMAT, /boi_token_index/],
    ["paligemma", "no rows", "preprocessor_config.json", (c) => (c.image_seq_length = 0), FORMAT, /image_seq_length/],
  ])("%s, pictures: %s", async (name, _, file, edit, code, message) => {
    const copy = folders.copy(folderOf(name), file, (json) => void edit(json));
    await expect(loadImagePreprocessor(copy)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
