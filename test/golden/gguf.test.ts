// GGUF files against the folders they were made of, and a quantised one against transformers on gguf-py's own numbers.
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type LoadOptions, loadModel, type Message, type Model } from "../../lib/index.js";
import { expectClose } from "./compare.js";
import { EditedFolders } from "./edited-folders.js";
import { readGolden } from "./read-golden.js";

const folders = new EditedFolders("gguf");
const path = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));

async function withModel<T>(name: string, options: LoadOptions, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await loadModel(path(name), options);
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

describe("LLaVA-1.5 in F32, its FFNs named as older converters did", () => {
  const golden = readGolden("variants/golden");
  const inputs = {
    input_ids: golden.ints("f32-untied-gqa4.input_ids"),
    pixel_values: golden.floats("f32-untied-gqa4.pixel_values"),
  };

  it("has the logits of the folder, bit for bit, and says what it is", async () => {
    const expected = await withModel("variants/f32-untied-gqa4", {}, (model) => model.forward(inputs));
    await withModel("gguf/llava/llava-F32.gguf", {}, async (model) => {
      expect((await model.forward(inputs)).logits).toEqual(expected.logits);
      const { info } = model;
      expect(info).toMatchObject({ family: "llava", dtype: "f32", vocabSize: 64, imageTokenId: 3, imageRows: 4 });
      expect(info.path).toBe(path("gguf/llava/llava-F32.gguf"));
      expect(info.mmproj).toBe(path("gguf/llava/mmproj-llava-F32.gguf"));
    });
  });

  it("loads from its folder, and with an mmproj that is named", async () => {
    const mmproj = path("gguf/llava/mmproj-llava-F32.gguf");
    for (const [name, options] of [
      ["gguf/llava", {}],
      ["gguf/llava", { mmproj }],
      ["gguf/llava/llava-F32.gguf", { mmproj: "mmproj-llava-F32.gguf" }],
    ] as const) {
      await withModel(name, options, async ({ info }) => expect(info.mmproj).toBe(mmproj));
    }
  });

  it("writes prompts as LLaVA-1.5 was trained, without a template of its own", async () => {
    await withModel("gguf/llava", {}, async (model) => {
      const image = { width: 28, height: 28, data: new Uint8Array(28 * 28 * 3) };
      const messages: Message[] = [{ role: "user", content: "ab?" }];
      const { input_ids, pixel_values } = await model.process(messages, { images: [image] });
      const vocabulary = ["<unk>", "<s>", "</s>", "<image>", ..."▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ?.!,:01"];
      const prompt = ["<s>", ..."▁USER:▁", ...Array(4).fill("<image>"), "▁", "<unk>", ..."ab?▁ASSISTANT:"];
      expect([...input_ids.data].map((id) => vocabulary[Number(id)])).toEqual(prompt);
      expect(pixel_values?.shape).toEqual([1, 3, 28, 28]);
      const { usage } = await model.generate({ messages, images: [image], maxTokens: 4 });
      expect(usage.promptRows).toBe(prompt.length);
    });
  });
});

describe("SmolVLM in BF16", () => {
  const golden = readGolden<{ cases: { model: string; picture: string; tokens: number; text: string }[] }>(
    "idefics3/golden",
  );
  const cases = golden.meta.cases.filter(({ model }) => model === "smolvlm");
  const messagesOf = (picture: string): Message[] => [
    {
      role: "user",
      content: [
        { type: "image", image: path(`idefics3/${picture}.png`) },
        { type: "text", text: "What is it?" },
      ],
    },
  ];

  it("has tiles, prompts, logits and answers of the folder, bit for bit", async () => {
    const messages = messagesOf("tall");
    // Converters leave the patches' matrix in f32, and rows are rounded to what they are multiplied by.
    const exact = { dtype: "f32" } as const;
    const expected = await withModel("idefics3/smolvlm", exact, async (model) => {
      const inputs = await model.process(messages);
      return { inputs, logits: (await model.forward(inputs)).logits, info: model.info };
    });
    await withModel("gguf/smolvlm", exact, async (model) => {
      const inputs = await model.process(messages);
      expect(inputs).toEqual(expected.inputs);
      expect((await model.forward(inputs)).logits).toEqual(expected.logits);
      const { parameters, contextLength, weightBytes } = expected.info;
      expect(model.info).toMatchObject({ parameters, weightBytes, contextLength });
    });
    await withModel("gguf/smolvlm", {}, async (model) => {
      expect(model.info.dtype).toBe("bf16");
      expect(model.info.weightBytes).toBeLessThan(0.6 * expected.info.weightBytes);
    });
  });

  it.each(cases)("answers $picture as transformers does", async ({ picture, text, tokens }) => {
    await withModel("gguf/smolvlm", { dtype: "f32" }, async (model) => {
      const reply = await model.generate({ messages: messagesOf(picture), maxTokens: 32 });
      expect(reply.text).toBe(text);
      expect(reply.usage.generatedTokens).toBe(tokens);
    });
  });
});

interface QwenRecording {
  cases: { prompt: string; pictures: string[]; tokens: number; text: string }[];
}

describe.each([
  ["qwen2_vl", "in parts, the tower's q, k and v apart", "qwen2_vl-BF16-00001-of-00003.gguf"],
  ["qwen2_5_vl", "the tower's q, k and v as one matrix", "qwen2_5_vl-BF16.gguf"],
  ["qwen3_vl", "with DeepStack", "qwen3_vl-BF16.gguf"],
])("%s in BF16, %s", (name, _, file) => {
  const { cases } = readGolden<QwenRecording>(`qwen_vl/${name}`).meta;
  const messagesOf = (pictures: string[]): Message[] => [
    {
      role: "user",
      content: pictures.flatMap((picture) => [
        { type: "image", image: path(`qwen_vl/${picture}.png`) },
        { type: "text", text: "What is it?" },
      ]),
    },
  ];

  it("has prompts and pixels of the folder, and its logits bit for bit", async () => {
    const messages = messagesOf(["tall", "wide"]);
    const expected = await withModel(`qwen_vl/${name}`, {}, async (model) => {
      const inputs = await model.process(messages);
      return { inputs, logits: (await model.forward(inputs)).logits, info: model.info };
    });
    await withModel(`gguf/${name}`, {}, async (model) => {
      const { pixel_values, ...inputs } = await model.process(messages);
      const { pixel_values: pixels, ...others } = expected.inputs;
      expect(inputs).toEqual(others);
      // The file has mean and deviation as f32.
      expectClose(pixel_values?.data ?? [], pixels?.data ?? [], 1e-6, "pixels");
      expect((await model.forward(expected.inputs)).logits).toEqual(expected.logits);
      const { parameters, weightBytes, contextLength, dtype, imageTokenId, videoTokenId } = expected.info;
      expect(model.info).toMatchObject({ parameters, weightBytes, contextLength, dtype, imageTokenId, videoTokenId });
      expect(model.info.path).toBe(path(`gguf/${name}/${file}`));
    });
  });

  it("answers as transformers does, and sees videos", async () => {
    await withModel(`gguf/${name}/${file}`, { dtype: "f32" }, async (model) => {
      for (const { pictures, text, tokens } of cases) {
        const reply = await model.generate({ messages: messagesOf(pictures), maxTokens: 32 });
        expect(reply.text).toBe(text);
        expect(reply.usage.generatedTokens).toBe(tokens);
      }
      const video: Message = { role: "user", content: [{ type: "video", video: path("video/clip.gif") }] };
      const { usage } = await model.generate({ messages: [video], maxTokens: 1 });
      // Qwen3-VL samples four of the frames, which keep their size: together they have more than the 4,096 pixels that
      // published models ask for.
      expect(usage.visualRows).toBe(name === "qwen3_vl" ? 2 * 20 : 4 * 15);
    });
  });
});

/** Compares many numbers without a report of each. */
function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  return bytes(a).equals(bytes(b));
}

interface Family {
  /** Under test/golden. */
  folder: string;
  file: string;
  /** What its config.json says that the file leaves to be known. */
  text?: object;
  /** The same of its preprocessor_config.json. */
  images?: object;
}

/** Of published LFM2-VL, whose files say nothing of it. */
const lfm2Limits = { tile_size: 512, max_tiles: 10, min_image_tokens: 64, max_image_tokens: 256, max_pixels_tolerance: 2 };

const families: Family[] = [
  { folder: "gemma3/gemma3", file: "gguf/gemma3/gemma3-BF16.gguf", text: { query_pre_attn_scalar: 8 } },
  { folder: "internvl/internvl", file: "gguf/internvl/internvl-BF16.gguf" },
  { folder: "llava-next/llava-next", file: "gguf/llava-next/llava-next-BF16.gguf" },
  { folder: "lfm2_vl/lfm2-vl", file: "gguf/lfm2-vl/lfm2-vl-BF16.gguf", images: lfm2Limits },
  { folder: "lfm2_vl/lfm2-5-vl", file: "gguf/lfm2-5-vl/lfm2-5-vl-BF16.gguf", images: lfm2Limits },
];

describe.each(families)("$folder in BF16", ({ folder, file, text, images }) => {
  const messages: Message[] = [
    {
      role: "user",
      content: [
        ...["tall", "wide"].map((name) => ({ type: "image" as const, image: path(`llava-next/${name}.png`) })),
        { type: "text", text: "What is it?\n\n  Is this the thing?" },
      ],
    },
    { role: "assistant", content: [{ type: "text", text: "It is." }] },
    { role: "user", content: [{ type: "text", text: "naïve 北京 🙂" }] },
  ];

  it("has tiles, prompts, logits and answers of the folder, bit for bit", async () => {
    // Converters leave the patches' matrix in f32, and rows are rounded to what they are multiplied by.
    const exact = { dtype: "f32" } as const;
    const edited = folders.copy(path(folder), "config.json", (json) => Object.assign(json.text_config, text) && json);
    const same = folders.copy(edited, "preprocessor_config.json", (json) => Object.assign(json, images));
    const original = await loadModel(same, exact);
    const model = await loadModel(path(file), exact);
    try {
      const expected = await original.process(messages);
      const { pixel_values, ...inputs } = await model.process(messages);
      const { pixel_values: pixels, ...others } = expected;
      expect(inputs).toEqual(others);
      // The file has mean and deviation as f32.
      expectClose(pixel_values?.data ?? [], pixels?.data ?? [], 1e-6, "pixels");
      // And of pictures cut as the folder itself says, where that is another way.
      const more = images && [await withModel(folder, {}, (unedited) => unedited.process(messages))];
      for (const shown of [expected, ...(more ?? [])]) {
        const [logits, wanted] = [await model.forward(shown), await original.forward(shown)].map((of) => of.logits);
        expect(logits?.shape).toEqual(wanted?.shape);
        expect(sameBits(logits?.data as Float32Array, wanted?.data as Float32Array)).toBe(true);
      }
      const { family, parameters, weightBytes, contextLength, imageTokenId, imageRows, vocabSize } = original.info;
      expect(model.info).toMatchObject({
        family,
        parameters,
        weightBytes,
        contextLength,
        imageTokenId,
        imageRows,
        vocabSize,
      });
      const reply = await model.generate({ messages, maxTokens: 16 });
      expect(reply.text).toBe((await original.generate({ messages, maxTokens: 16 })).text);
      expect(reply.text).not.toBe("");
    } finally {
      await Promise.all([model.dispose(), original.dispose()]);
    }
  });
});

describe("blocks of every quantised type", () => {
  const golden = readGolden("gguf/golden");
  const inputs = {
    input_ids: golden.ints("quantised.input_ids"),
    pixel_values: golden.floats("quantised.pixel_values"),
  };
  const expected = golden.floats("quantised.logits");

  it("as f32 give transformers' logits for the weights that gguf-py makes of them", async () => {
    await withModel("gguf/quantised", { dtype: "f32" }, async (model) => {
      const { logits } = await model.forward(inputs);
      expect(logits.shape).toEqual(expected.shape);
      expectClose(logits.data, expected.data, 1e-5, "logits");
    });
  });

  it("are kept as f16 by default, closer than as bf16, and the memory says so", async () => {
    const errorOf = (dtype?: "f16" | "bf16") =>
      withModel("gguf/quantised", dtype === undefined ? {} : { dtype }, async (model) => {
        const { logits } = await model.forward(inputs);
        let worst = 0;
        for (const [i, value] of expected.data.entries()) {
          worst = Math.max(worst, Math.abs((logits.data[i] as number) - value));
        }
        return { worst, info: model.info };
      });
    const [auto, f16, bf16] = [await errorOf(), await errorOf("f16"), await errorOf("bf16")];
    expect(auto.info.dtype).toBe("f16");
    expect(auto.worst).toBe(f16.worst);
    expect(4 * f16.worst).toBeLessThan(bf16.worst);
    // Matrices of 16 bits, among them the embeddings, which no mapped file holds in such numbers.
    expect(auto.info.weightBytes).toBeGreaterThanOrEqual(2 * auto.info.parameters);
    expect(auto.info.weightBytes).toBeLessThan(2.3 * auto.info.parameters);
  });
});
