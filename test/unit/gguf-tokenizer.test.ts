// Tokenizers made of GGUF metadata, against ids that the tokenizers library and SentencePiece gave (test/golden/gguf).
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { describeGguf } from "../../lib/gguf/describe-gguf.js";
import { preTokenizers } from "../../lib/gguf/pre-tokenizers.js";
import { stopIds, tokenizerJson } from "../../lib/gguf/tokenizer-json.js";
import type { JsonObject } from "../../lib/hub/model-file.js";
import { loadChatTemplate } from "../../lib/text/chat-template.js";
import { loadTokenizer, type Tokenizer } from "../../lib/text/tokenizer.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";

interface Recording {
  sentences: string[];
  bpe: { metadata: JsonObject; ids: Record<string, number[][]> };
  spm: { metadata: JsonObject; sentences: string[]; ids: number[][]; text: string[] };
}

const recording: Recording = JSON.parse(
  readFileSync(new URL("../golden/gguf/tokenizers.json", import.meta.url), "utf8"),
);
const { bpe, spm } = recording;
const tokensOf = (metadata: JsonObject) => metadata["tokenizer.ggml.tokens"] as string[];

const described = (decoder: JsonObject, config: JsonObject = {}, mmproj: JsonObject = {}) =>
  describeGguf("model.gguf", {
    config: { model_type: "llava", image_token_id: tokensOf(decoder)?.indexOf("<image>"), ...config },
    decoder,
    mmproj,
  });
const tokenizerOf = (decoder: JsonObject, config: JsonObject = {}): Promise<Tokenizer> =>
  loadTokenizer(described(decoder, config));

describe("byte-level vocabularies", () => {
  // LFM2's way is Llama 3's.
  it.each([...Object.entries(bpe.ids), ["lfm2", bpe.ids["llama-bpe"]] as const])(
    "cut words as %s does",
    async (pre, ids) => {
      const tokenizer = await tokenizerOf({ ...bpe.metadata, "tokenizer.ggml.pre": pre });
      for (const [i, sentence] of recording.sentences.entries()) {
        expect(tokenizer.encode(sentence, { addSpecialTokens: false }), JSON.stringify(sentence)).toEqual(ids?.[i]);
        expect(tokenizer.decode(ids?.[i] as number[], { skipSpecialTokens: false })).toBe(sentence);
      }
    },
  );

  it("have special tokens, and write the first and the last one where the file says so", async () => {
    const metadata = { ...bpe.metadata, "tokenizer.ggml.pre": "smollm" };
    const tokens = tokensOf(metadata);
    const [bos, eos, image] = ["<s>", "</s>", "<image>"].map((token) => tokens.indexOf(token));
    const plain = await tokenizerOf(metadata);
    const bare = plain.encode("cat", { addSpecialTokens: false });
    expect([...plain.specialIds].sort()).toEqual([bos, eos, image]);
    expect([plain.bosToken, plain.eosToken, plain.padToken]).toEqual(["<s>", "</s>", null]);
    expect(plain.encode("cat")).toEqual(bare);
    const bosKey = "tokenizer.ggml.add_bos_token";
    const both = await tokenizerOf({ ...metadata, [bosKey]: true, "tokenizer.ggml.add_eos_token": true });
    expect(both.encode("cat")).toEqual([bos, ...bare, eos]);
    // Llama 3 writes it unless the file says otherwise.
    for (const pre of ["llama-bpe", "lfm2"]) {
      const llama3 = { ...metadata, "tokenizer.ggml.pre": pre };
      expect((await tokenizerOf(llama3)).encode("cat")[0]).toBe(bos);
      expect((await tokenizerOf({ ...llama3, [bosKey]: false })).encode("cat")[0]).not.toBe(bos);
    }
  });

  it("know every way of cutting that they claim to", () => {
    expect([...preTokenizers.keys()]).toEqual(expect.arrayContaining(Object.keys(bpe.ids)));
  });
});

describe("SentencePiece vocabularies", () => {
  it("give SentencePiece's ids and text", async () => {
    const tokenizer = await tokenizerOf(spm.metadata);
    for (const [i, sentence] of spm.sentences.entries()) {
      const ids = spm.ids[i] as number[];
      expect(tokenizer.encode(sentence, { addSpecialTokens: false }), JSON.stringify(sentence)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(spm.text[i]);
    }
  });

  it("begin with <s>, and with no space where the file says so", async () => {
    const tokens = tokensOf(spm.metadata);
    const texts = (tokenizer: Tokenizer) => tokenizer.encode("the").map((id) => tokens[id]);
    expect(texts(await tokenizerOf(spm.metadata))).toEqual(["<s>", "▁the"]);
    const bare = await tokenizerOf({ ...spm.metadata, "tokenizer.ggml.add_space_prefix": false });
    expect(texts(bare).join("")).toBe("<s>the");
    expect(bare.decode(bare.encode("the"))).toBe("the");
  });

  it("get an image token behind the vocabulary where they have none", async () => {
    const n = tokensOf(spm.metadata).length;
    const tokenizer = await tokenizerOf(spm.metadata, { image_token_id: n });
    expect(tokenizer.encode("<image>the", { addSpecialTokens: false })[0]).toBe(n);
    expect(tokenizer.decode([n])).toBe("");
    expect(tokenizer.specialIds.has(n)).toBe(true);
  });
});

it("answers end with the end of the text, a turn or a message", () => {
  const key = (name: string) => `tokenizer.ggml.${name}_token_id`;
  expect(stopIds({ ...spm.metadata, [key("eot")]: 7, [key("eom")]: 2 })).toEqual([2, 7]);
  expect(stopIds({ ...spm.metadata, [key("eos")]: 0xffffffff })).toEqual([]);
  expect(stopIds(spm.metadata, ["<s>", "nowhere"])).toEqual([...stopIds(spm.metadata), 1]);
});

describe("metadata that lies", () => {
  const key = (name: string) => `tokenizer.ggml.${name}`;
  it.each<[string, JsonObject, RegExp]>([
    ["no tokens", { [key("tokens")]: undefined }, /tokens must be a list/],
    ["tokens that are numbers", { [key("tokens")]: [1, 2] }, /tokens must be a list of strings/],
    ["too few types", { [key("token_type")]: [1] }, /token_type has 1 entries/],
    ["too few scores", { [key("scores")]: [0] }, /scores has 1 entries/],
    ["no scores", { [key("scores")]: undefined }, /scores must be a list/],
    ["a first token out of range", { [key("bos_token_id")]: 1e6 }, /bos_token_id is 1000000/],
    ["a last token that is a string", { [key("eos_token_id")]: "2" }, /eos_token_id/],
    ["a flag that is a number", { [key("add_bos_token")]: 1 }, /add_bos_token must be true or false/],
  ])("%s", (_, change, message) => {
    expect(() => described({ ...spm.metadata, ...change })).toThrow(
      expect.objectContaining({ code: "ERR_FOVEA_MODEL_FORMAT", message: expect.stringMatching(message) }),
    );
  });

  it.each<[string, JsonObject, RegExp]>([
    ["another kind of tokenizer", { [key("model")]: "bert" }, /"bert"/],
    ["no way of cutting words", { [key("model")]: "gpt2", [key("merges")]: [] }, /missing/],
    ["an unknown way", { [key("model")]: "gpt2", [key("merges")]: [], [key("pre")]: "tekken" }, /"tekken"/],
  ])("%s", (_, change, message) => {
    expect(() => described({ ...spm.metadata, ...change })).toThrow(
      expect.objectContaining({ code: "ERR_FOVEA_MODEL_UNSUPPORTED", message: expect.stringMatching(message) }),
    );
  });

  it("a token named as an object's own property is a token", () => {
    const tokens = ["<unk>", "<s>", "</s>", "__proto__", "constructor"];
    const { model } = tokenizerJson(
      { [key("model")]: "llama", [key("tokens")]: tokens, [key("scores")]: [0, 0, 0, 0, 0] },
      5,
    ) as { model: { vocab: Record<string, number> } };
    expect(Object.entries(model.vocab)).toContainEqual(["__proto__", 3]);
  });
});

describe("templates and pictures", () => {
  it("a file's own template goes first if it knows images", async () => {
    const withOwn = (template: string) => described({ ...spm.metadata, "tokenizer.chat_template": template });
    const messages = [{ role: "user", content: "hi" }];
    const own = await loadChatTemplate(withOwn("{# image #}own: {{ messages[0]['content'] }}"));
    expect(own.render(messages)).toBe("own: hi");
    const words = await loadChatTemplate(withOwn("own: {{ messages[0]['content'] }}"));
    expect(words.render(messages)).toBe("USER: hi ASSISTANT:");
  });

  it("LLaVA-1.5's is that of Vicuna", async () => {
    const template = await loadChatTemplate(described(spm.metadata));
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "image" as const }, { type: "text" as const, text: "What?" }] },
      { role: "assistant", content: "A cat." },
      { role: "user", content: "Where?" },
    ];
    expect(template.render(messages)).toBe(
      "Be brief. USER: <image>\nWhat? ASSISTANT: A cat.</s>USER: Where? ASSISTANT:",
    );
  });

  it("LLaVA-1.6's is that of the decoder it was published with", async () => {
    const messages = [
      { role: "user", content: [{ type: "image" as const }, { type: "text" as const, text: "What?" }] },
      { role: "assistant", content: "A cat." },
      { role: "user", content: "Where?" },
    ];
    const rendered = async (own?: string) => {
      const decoder = own === undefined ? spm.metadata : { ...spm.metadata, "tokenizer.chat_template": own };
      const config = { model_type: "llava_next", image_grid_pinpoints: [[24, 48]] };
      return (await loadChatTemplate(described(decoder, config))).render(messages);
    };
    expect(await rendered()).toBe("USER: <image>\nWhat? ASSISTANT: A cat.</s>USER: Where? ASSISTANT:");
    expect(await rendered("{{ '[INST] ' }}")).toBe("[INST] <image>\nWhat? [/INST] A cat.</s>[INST] Where? [/INST]");
    expect(await rendered("{{ '<|im_start|>' }}")).toBe(
      "<|im_start|>user\n<image>\nWhat?<|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>\n" +
        "<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\n",
    );
    await expect(rendered("{{ '<|eot_id|>' }}")).rejects.toMatchObject({ code: "ERR_FOVEA_MODEL_UNSUPPORTED" });
  });

  it("InternVL's writes a picture before the line that it stands in", async () => {
    const template = await loadChatTemplate(described(spm.metadata, { model_type: "internvl" }));
    const content = [{ type: "image" as const }, { type: "text" as const, text: "What?" }];
    expect(template.render([{ role: "user", content }])).toBe(
      "<|im_start|>user\n<IMG_CONTEXT>\nWhat?<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  it("InternVL makes 12 tiles at most where the file says nothing of it", async () => {
    const mmproj = { "clip.vision.image_size": 24 };
    const vision_config = { image_size: 24, patch_size: 4 };
    const config = { model_type: "internvl", downsample_ratio: 0.5, vision_config };
    const tilesOf = async (change: JsonObject) =>
      (await loadImagePreprocessor(described(spm.metadata, config, { ...mmproj, ...change }))).placeholder(480, 40);
    expect(await tilesOf({})).toEqual(["<img>", ...Array(13).fill(9), "</img>"]);
    expect(await tilesOf({ "clip.vision.preproc_max_tiles": 4 })).toEqual(["<img>", ...Array(5).fill(9), "</img>"]);
  });

  it("LFM2-VL's are those of the published models, of which files say nothing", async () => {
    const config = { model_type: "lfm2_vl", downsample_factor: 2 };
    const half = [0.5, 0.5, 0.5];
    const mmproj = { "clip.vision.patch_size": 16, "clip.vision.image_mean": half, "clip.vision.image_std": half };
    const folder = described(spm.metadata, config, mmproj);
    const images = await loadImagePreprocessor(folder);
    const rows = (width: number, height: number) =>
      images.placeholder(width, height).filter((part) => typeof part === "number");
    expect(rows(32, 32)).toEqual([64]);
    expect(rows(720, 720)).toEqual([256]);
    expect(rows(736, 736)).toEqual([256, 256, 256, 256, 256]);
    expect(rows(10_000, 1000)).toHaveLength(11);
    const template = await loadChatTemplate(folder);
    const content = [{ type: "image" as const }, { type: "text" as const, text: "What?" }];
    expect(template.render([{ role: "user", content }])).toBe(
      "<s><|im_start|>user\n<image>What?<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  it("older files of Idefics3 have no size: four tiles", async () => {
    const mmproj = {
      "clip.vision.image_size": 24,
      "clip.vision.image_mean": [0.5, 0.5, 0.5],
      "clip.vision.image_std": [0.5, 0.5, 0.5],
    };
    const config = { model_type: "idefics3", scale_factor: 2, vision_config: { image_size: 24, patch_size: 6 } };
    const plain = await loadImagePreprocessor(described(spm.metadata, config, mmproj));
    expect(plain.cut(50, 50).tiles).toHaveLength(17);
    expect(plain.placeholder(50, 50).filter((part) => part === 4)).toHaveLength(17);
    const smaller = { ...mmproj, "clip.vision.preproc_image_size": 48 };
    expect((await loadImagePreprocessor(described(spm.metadata, config, smaller))).cut(50, 50).tiles).toHaveLength(5);
  });
});
