import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadChatTemplate } from "../../lib/text/chat-template.js";
import { Detokenizer } from "../../lib/text/detokenizer.js";
import { encodeChat } from "../../lib/text/encode-chat.js";
import { expandImages } from "../../lib/text/expand-images.js";
import type { TemplateMessage } from "../../lib/text/template-message.js";
import { loadTokenizer } from "../../lib/text/tokenizer.js";

interface Recording {
  texts: { text: string; ids: number[]; decoded: string }[];
  chats: {
    name: string;
    messages: TemplateMessage[];
    addGenerationPrompt: boolean;
    prompt: string;
    inputIds: number[];
  }[];
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const read = (name: string) => JSON.parse(readFileSync(path(`./text/${name}.json`), "utf8")) as Recording;

describe.each([
  ["fovea-mini", path("../../model/fovea-mini")],
  ["sentencepiece", path("./text/sentencepiece")],
])("texts as transformers tokenises them: %s", (name, folder) => {
  const { texts } = read(name);

  it("ids", async () => {
    const tokenizer = await loadTokenizer(folder);
    for (const { text, ids } of texts) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
  });

  it("decoded text, at once and streamed", async () => {
    const tokenizer = await loadTokenizer(folder);
    for (const { text, ids, decoded } of texts) {
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
      const stream = new Detokenizer(tokenizer);
      expect(ids.map((id) => stream.push(id)).join("") + stream.flush(), JSON.stringify(text)).toBe(decoded);
    }
  });
});

describe("conversations as transformers' LlavaProcessor writes them", () => {
  const folder = path("../../model/fovea-mini");
  const { chats } = read("fovea-mini");

  it.each(chats)(
    "$name, generation prompt: $addGenerationPrompt",
    async ({ messages, addGenerationPrompt, ...golden }) => {
      const tokenizer = await loadTokenizer(folder);
      const template = await loadChatTemplate(folder);
      expect(template.render(messages, { addGenerationPrompt })).toBe(golden.prompt);

      const ids = encodeChat(tokenizer, template, messages, { addGenerationPrompt });
      const imageToken = tokenizer.idOf("<image>") as number;
      const rows = ids.filter((id) => id === imageToken).map(() => [256]);
      expect([...expandImages(ids, [imageToken], rows, () => [])]).toEqual(golden.inputIds);
    },
  );
});
