import { cp, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ChatTemplate } from "../../lib/text/chat-template.js";
import { encodeChat } from "../../lib/text/encode-chat.js";
import { expandImages } from "../../lib/text/expand-images.js";
import { loadTokenizer } from "../../lib/text/tokenizer.js";

const embedded = fileURLToPath(new URL("../../model/fovea-mini", import.meta.url));

interface TokenizerJson {
  model?: { vocab?: Record<string, number> };
  added_tokens: object[];
  decoder: object | null;
}

describe("tokenizer", () => {
  it("knows its special tokens and size", async () => {
    const tokenizer = await loadTokenizer(embedded);
    expect(tokenizer.vocabSize).toBe(970);
    expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken]).toEqual(["<s>", "</s>", "<pad>"]);
    expect([...tokenizer.specialIds]).toEqual([0, 1, 2, 3]);
    expect(tokenizer.idOf("<image>")).toBe(3);
    expect(tokenizer.idOf("no such token")).toBeUndefined();
    expect(tokenizer.tokenOf(3)).toBe("<image>");
  });

  it("adds and shows special tokens only as asked", async () => {
    const tokenizer = await loadTokenizer(embedded);
    const ids = tokenizer.encode("cat");
    expect(ids[0]).toBe(1);
    expect(tokenizer.encode("cat", { addSpecialTokens: false })).toEqual(ids.slice(1));
    expect(tokenizer.decode(ids)).toBe("cat");
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe("<s>cat");
    expect(tokenizer.decode([])).toBe("");
  });

  it("gives no text to ids of a padded head and refuses what is not an id", async () => {
    const tokenizer = await loadTokenizer(embedded);
    expect(tokenizer.decode([5000])).toBe("");
    expect(() => tokenizer.decode([-1])).toThrow(/not a token id/);
    expect(() => tokenizer.decode([1.5])).toThrow(/not a token id/);
  });

  it("refuses a text that cannot fit before encoding it", async () => {
    const tokenizer = await loadTokenizer(embedded);
    const start = performance.now();
    expect(() => tokenizer.encode("a".repeat(5_000_000), { maxTokens: 2048 })).toThrow(
      expect.objectContaining({ code: "ERR_FOVEA_CONTEXT_LENGTH" }),
    );
    expect(performance.now() - start).toBeLessThan(50);
  });
});

describe("a damaged tokenizer folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fovea-tokenizer-"));
    await cp(join(embedded, "tokenizer.json"), join(folder, "tokenizer.json"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const edit = async (change: (json: TokenizerJson) => void) => {
    const json = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8"));
    change(json);
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(json));
  };
  const expectCode = (code: string, message: RegExp) =>
    expect(loadTokenizer(folder)).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );

  it("loads without tokenizer_config.json", async () => {
    expect((await loadTokenizer(folder)).bosToken).toBeNull();
  });
  it("without tokenizer.json", async () => {
    await rm(join(folder, "tokenizer.json"));
    await expectCode("ERR_FOVEA_MODEL_NOT_FOUND", /No tokenizer.json/);
  });
  it("cut short", async () => {
    await truncate(join(folder, "tokenizer.json"), 1000);
    await expectCode("ERR_FOVEA_MODEL_FORMAT", /not valid JSON/);
  });
  it("larger than any tokenizer", async () => {
    await truncate(join(folder, "tokenizer.json"), 200 * 1024 * 1024);
    await expectCode("ERR_FOVEA_MODEL_FORMAT", /bytes/);
  });
  it.each<[string, (json: TokenizerJson) => void, string, RegExp]>([
    ["no model", (json) => delete json.model, "ERR_FOVEA_MODEL_FORMAT", /"model"/],
    ["no vocab", (json) => delete json.model?.vocab, "ERR_FOVEA_MODEL_FORMAT", /vocab/],
    [
      "an absurd id",
      (json) => Object.assign(json.model?.vocab ?? {}, { zzz: 4e9 }),
      "ERR_FOVEA_MODEL_FORMAT",
      /4000000000/,
    ],
    ["an added token without text", (json) => json.added_tokens.push({ id: 9 }), "ERR_FOVEA_MODEL_FORMAT", /content/],
    [
      "an unknown model type",
      (json) => Object.assign(json.model ?? {}, { type: "X" }),
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      /"X"/,
    ],
    [
      "an unknown decoder",
      (json) => Object.assign(json.decoder ?? {}, { type: "CTC" }),
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      /CTC/,
    ],
    ["no decoder", (json) => (json.decoder = null), "ERR_FOVEA_MODEL_UNSUPPORTED", /decoder/],
  ])("with %s", async (_, change, code, message) => {
    await edit(change);
    await expectCode(code, message);
  });
});

describe("expandImages", () => {
  const noText = (): number[] => {
    throw new Error("there is no text");
  };
  it("writes text between the rows of an image, encoded once", () => {
    const encoded: string[] = [];
    const encode = (text: string) => {
      encoded.push(text);
      return [...text].map((letter) => letter.charCodeAt(0));
    };
    expect([...expandImages([1, 3, 2], [3], [["A", 2, "BC", 1, "A"]], encode)]).toEqual([
      1, 65, 3, 3, 66, 67, 3, 65, 2,
    ]);
    expect(encoded).toEqual(["A", "BC"]);
  });
  it("writes one id per visual row", () => {
    expect([...expandImages([1, 3, 7, 3, 8], [3], [[2], [4]], noText)]).toEqual([1, 3, 3, 7, 3, 3, 3, 3, 8]);
    expect([...expandImages([1, 2], [3], [], noText)]).toEqual([1, 2]);
  });
  it("refuses a prompt whose placeholders and images differ", () => {
    for (const rows of [[], [[1], [1]]]) {
      expect(() => expandImages([1, 3], [3], rows, noText)).toThrow(/1 image placeholders for (0|2) images/);
    }
  });
  it("refuses absurd lengths before allocating", () => {
    expect(() => expandImages([3, 3], [3], [[2 ** 31], [2 ** 31]], noText)).toThrow(/rows/);
  });
});

describe("encodeChat", () => {
  it("adds the first token unless the template writes it", async () => {
    const tokenizer = await loadTokenizer(embedded);
    const messages = [{ role: "user", content: "hi" }];
    const plain = new ChatTemplate("{{ messages[0].content }}");
    const withBos = new ChatTemplate("{{ bos_token }}{{ messages[0].content }}", { bos_token: "<s>" });
    expect(encodeChat(tokenizer, plain, messages)).toEqual(tokenizer.encode("hi"));
    expect(encodeChat(tokenizer, withBos, messages)).toEqual(tokenizer.encode("hi"));
  });
});
