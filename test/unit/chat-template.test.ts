import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ChatTemplate, loadChatTemplate } from "../../lib/text/chat-template.js";
import { type Message, parseMessages } from "../../lib/text/messages.js";

const messages = [{ role: "user", content: "hi" }];

describe("a template that reads words only from parts", () => {
  const source =
    "{% for m in messages %}{{ m['role'] }}:{% for p in m['content'] %}{% if p['type'] == 'text' %}{{ p['text'] }}" +
    "{% endif %}{% endfor %}{% endfor %}";
  it("gets plain content as one part", () => {
    expect(new ChatTemplate(source).render(messages)).toBe("user:hi");
  });
  it("and any other the content as it is", () => {
    expect(new ChatTemplate("{{ messages[0].content is string }}").render(messages)).toBe("true");
    expect(new ChatTemplate("{{ messages[0].content }}").render(messages)).toBe("hi");
  });
});

describe("chat template files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fovea-template-"));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const write = (name: string, value: unknown) =>
    writeFile(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
  const render = async () => (await loadChatTemplate(folder)).render(messages);

  it("are found in every place, best first", async () => {
    await write("processor_config.json", { chat_template: "processor" });
    expect(await render()).toBe("processor");
    await write("chat_template.json", { chat_template: "json" });
    expect(await render()).toBe("json");
    await write("tokenizer_config.json", {
      chat_template: [
        { name: "tool_use", template: "tools" },
        { name: "default", template: "list" },
      ],
    });
    expect(await render()).toBe("list");
    await write("tokenizer_config.json", { chat_template: "string" });
    expect(await render()).toBe("string");
    await write("chat_template.jinja", "file");
    expect(await render()).toBe("file");
  });

  it("see the special tokens and the generation prompt", async () => {
    await write("tokenizer_config.json", { bos_token: { content: "<s>" }, eos_token: "</s>" });
    await write("chat_template.jinja", "{{ bos_token }}{{ eos_token }}{% if add_generation_prompt %}!{% endif %}");
    const template = await loadChatTemplate(folder);
    expect(template.render(messages)).toBe("<s></s>!");
    expect(template.render(messages, { addGenerationPrompt: false })).toBe("<s></s>");
  });

  it("that are missing say where they could be", async () => {
    await expect(render()).rejects.toThrow(
      expect.objectContaining({
        code: "ERR_FOVEA_MODEL_UNSUPPORTED",
        message: expect.stringContaining("chat_template.jinja"),
      }),
    );
  });

  it("that raise blame the messages", async () => {
    await write("chat_template.jinja", "{{ raise_exception('roles must alternate') }}");
    await expect(render()).rejects.toThrow(
      expect.objectContaining({
        code: "ERR_FOVEA_INVALID_ARGUMENT",
        message: expect.stringContaining("roles must alternate"),
      }),
    );
  });

  it("that cannot be parsed blame the model", async () => {
    await write("chat_template.jinja", "{% for m in %}");
    await expect(render()).rejects.toThrow(expect.objectContaining({ code: "ERR_FOVEA_MODEL_UNSUPPORTED" }));
  });
});

describe("messages", () => {
  const bytes = new Uint8Array([1]);

  it("lose their images in order", () => {
    const parsed = parseMessages([
      {
        role: "user",
        content: [
          { type: "image", image: "a.png" },
          { type: "text", text: "one" },
        ],
      },
      { role: "assistant", content: "two" },
      {
        role: "user",
        content: [
          { type: "text", text: "three" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
          { type: "image", image: bytes },
        ],
      },
    ]);
    expect(parsed.media).toEqual([{ image: "a.png" }, { image: "data:image/png;base64,AA==" }, { image: bytes }]);
    expect(parsed.messages).toEqual([
      { role: "user", content: [{ type: "image" }, { type: "text", text: "one" }] },
      { role: "assistant", content: "two" },
      { role: "user", content: [{ type: "text", text: "three" }, { type: "image" }, { type: "image" }] },
    ]);
  });

  it("take separate images before the text of the last user message", () => {
    const parsed = parseMessages(
      [
        {
          role: "user",
          content: [
            { type: "image", image: "first" },
            { type: "text", text: "old" },
          ],
        },
        {
          role: "user",
          content: [
            { type: "image", image: "second" },
            { type: "text", text: "new" },
            { type: "image", image: "last" },
          ],
        },
        { role: "assistant", content: "ok" },
      ],
      { images: ["x", "y"] },
    );
    expect(parsed.media).toEqual(["first", "second", "x", "y", "last"].map((image) => ({ image })));
    expect(parsed.messages[1]?.content).toEqual([
      { type: "image" },
      { type: "image" },
      { type: "image" },
      { type: "text", text: "new" },
      { type: "image" },
    ]);
    expect(parseMessages([{ role: "user", content: "hi" }], { images: ["x"] }).messages).toEqual([
      { role: "user", content: [{ type: "image" }, { type: "text", text: "hi" }] },
    ]);
    expect(parseMessages([{ role: "user", content: "hi" }], { images: [] }).messages[0]?.content).toBe("hi");
  });

  it.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /non-empty array/],
    ["no message", [], /non-empty array/],
    ["a bare string", ["hi"], /messages\[0\] must be an object/],
    ["an unknown role", [{ role: "robot", content: "x" }], /messages\[0\].role is "robot"; expected one of system/],
    ["no content", [{ role: "user" }], /messages\[0\].content .* got nothing/],
    ["no part", [{ role: "user", content: [] }], /non-empty array of parts/],
    ["an unknown part", [{ role: "user", content: [{ type: "audio" }] }], /content\[0\].type is "audio"/],
    ["a null part", [{ role: "user", content: [null] }], /type is nothing/],
    ["text that is none", [{ role: "user", content: [{ type: "text", text: 5 }] }], /text must be a string, got 5/],
    ["an image that is none", [{ role: "user", content: [{ type: "image", image: 5 }] }], /image must be a path/],
    ["an empty path", [{ role: "user", content: [{ type: "image", image: "" }] }], /image must be a path/],
    ["no url", [{ role: "user", content: [{ type: "image_url", image_url: "x" }] }], /image_url.url must be a string/],
  ])("with %s are refused", (_, value, message) => {
    expect(() => parseMessages(value as Message[])).toThrow(
      expect.objectContaining({ code: "ERR_FOVEA_INVALID_ARGUMENT", message: expect.stringMatching(message) }),
    );
  });

  it("with too many images or images without a place are refused", () => {
    const many = Array.from({ length: 65 }, () => ({ type: "image" as const, image: "x" }));
    expect(() => parseMessages([{ role: "user", content: many }])).toThrow(/65 images .* at most 64/);
    expect(parseMessages([{ role: "user", content: many }], { maxImages: 65 }).media).toHaveLength(65);
    expect(() => parseMessages([{ role: "system", content: "x" }], { images: ["a"] })).toThrow(/no user message/);
    expect(() => parseMessages([{ role: "user", content: "x" }], { images: [7 as never] })).toThrow(/images\[0\]/);
  });
});
