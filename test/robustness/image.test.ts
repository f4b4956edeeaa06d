import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageInput, loadModel, type Model } from "../../lib/index.js";
import { ask, content, miniModel, picture, refusal } from "../engine/fixtures.js";

const scratch = mkdtempSync(join(tmpdir(), "fovea-images-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let model: Model;
let answer: unknown;
const question = { messages: ask("What is this?", 1), maxTokens: 2, logprobs: 1 };
beforeAll(async () => {
  model = await loadModel(miniModel);
  answer = content(await model.generate(question));
});
afterAll(() => model.dispose());

const webp = readFileSync(picture(0));

/** A PNG whose header claims a size that its few bytes of data do not have. */
function pngBomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const data = deflateSync(Buffer.alloc(1 << 20));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

async function rgb(width: number, height: number) {
  const { data } = await sharp({ create: { width, height, channels: 3, background: "red" } })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width, height, data };
}

describe("an image is refused when it is", () => {
  const IMAGE = "ERR_FOVEA_IMAGE";
  const ARGUMENT = "ERR_FOVEA_INVALID_ARGUMENT";
  const file = (name: string, bytes: Buffer) => {
    writeFileSync(join(scratch, name), bytes);
    return join(scratch, name);
  };
  const sized = (name: string, bytes: number) => {
    const path = file(name, Buffer.alloc(0));
    truncateSync(path, bytes); // sparse
    return path;
  };
  const encode = (format: "jpeg" | "png" | "gif" | "webp") => sharp(webp).toFormat(format).toBuffer();
  const cut = async (format: "jpeg" | "png" | "gif" | "webp") => {
    const whole = await encode(format);
    return whole.subarray(0, whole.length / 2);
  };
  const wrong: Record<string, [() => Promise<unknown> | unknown, string, RegExp]> = {
    "words in a Buffer": [() => Buffer.from("not an image at all"), IMAGE, /JPEG, PNG, WebP or GIF/],
    "words in a file": [() => file("words.png", Buffer.from("not an image")), IMAGE, /JPEG, PNG, WebP or GIF/],
    "an SVG": [() => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), IMAGE, /JPEG, PNG/],
    "an empty Buffer": [() => Buffer.alloc(0), IMAGE, /empty/],
    "an empty file": [() => file("empty.jpg", Buffer.alloc(0)), IMAGE, /empty/],
    "an empty path": [() => "", ARGUMENT, /image/],
    "half a JPEG": [() => cut("jpeg"), IMAGE, /damaged or incomplete/],
    "half a PNG": [() => cut("png"), IMAGE, /damaged or incomplete/],
    "half a WebP": [() => cut("webp"), IMAGE, /damaged or incomplete/],
    "the first bytes of a JPEG": [() => Buffer.from([0xff, 0xd8, 0xff, 0xe0]), IMAGE, /damaged or incomplete/],
    "a bomb": [() => pngBomb(60_000, 60_000), IMAGE, /60000 x 60000 pixels are more than/],
    "a bomb within the limits of width and height": [() => pngBomb(8191, 8192), IMAGE, /damaged or incomplete/],
    "a file of 65 MiB": [() => sized("huge.jpg", 65 * 1024 * 1024), IMAGE, /68157440 bytes are more/],
    "a web address": [() => "https://example.com/cat.jpg", IMAGE, /does not fetch/],
    "a file that does not exist": [() => "/no/such/cat.jpg", IMAGE, /\/no\/such\/cat\.jpg \(ENOENT\)/],
    "a path with a zero byte": [() => "cat\0.jpg", IMAGE, /cannot read/],
    "a folder": [() => scratch, IMAGE, /not a regular file/],
    "a device": [() => "/dev/zero", IMAGE, /not a regular file/],
    "a data URL without base64": [() => "data:image/png,abc", IMAGE, /data URL must look like/],
    "a data URL of nothing": [() => "data:image/png;base64,", IMAGE, /empty/],
    "raw pixels of 0 x 0": [() => ({ width: 0, height: 0, data: new Uint8Array() }), IMAGE, /positive integers/],
    "raw pixels of -1 x 5": [() => ({ width: -1, height: 5, data: new Uint8Array(15) }), IMAGE, /positive integers/],
    "raw pixels of 1.5 x 2": [() => ({ width: 1.5, height: 2, data: new Uint8Array(9) }), IMAGE, /positive integers/],
    "raw pixels of 1e9 x 1e9": [() => ({ width: 1e9, height: 1e9, data: new Uint8Array(9) }), IMAGE, /more than the/],
    "raw pixels of NaN x 1": [() => ({ width: Number.NaN, height: 1, data: new Uint8Array(3) }), IMAGE, /positive/],
    "raw pixels too few": [() => ({ width: 4, height: 4, data: new Uint8Array(47) }), IMAGE, /48 \(RGB\).*got 47/],
    "raw pixels as floats": [() => ({ width: 1, height: 1, data: new Float32Array(3) }), IMAGE, /data/],
    "raw pixels without data": [() => ({ width: 1, height: 1 }), IMAGE, /data/],
    "raw pixels 60000 wide and 1 high": [() => rgb(60_000, 1), IMAGE, /aspect ratio/],
    "an object of something": [() => ({ cat: true }), IMAGE, /expected a path/],
    "an array": [() => [1, 2, 3], IMAGE, /expected a path/],
    "a number": [() => 5, ARGUMENT, /image/],
    null: [() => null, ARGUMENT, /image/],
  };

  it.each(Object.entries(wrong))("%s", async (_, [make, code, message]) => {
    const image = (await make()) as ImageInput;
    const beside = model.generate({ messages: ask("What is this?"), images: [image], maxTokens: 1 });
    const inside = model.process([
      {
        role: "user",
        content: [
          { type: "image", image: picture(1) },
          { type: "image", image },
          { type: "text", text: "?" },
        ],
      },
    ]);
    const [first, second] = await Promise.all([refusal(beside), refusal(inside)]);
    expect(first.message).toMatch(message);
    expect(first.code).toBe(code);
    expect(second.message, "the second image is the bad one").toMatch(code === IMAGE ? /^Image 1: / : /content\[1\]/);
    expect(second.code).toBe(code);
  });

  it("one of too many", async () => {
    const images = Array(65).fill(picture(0));
    const got = await refusal(model.generate({ messages: ask("What is this?"), images }));
    expect(got).toMatchObject({ code: ARGUMENT, message: expect.stringMatching(/65 images.*64/) });
  });

  it("one of more than the context holds", async () => {
    const images = Array(9).fill(picture(0));
    const got = await refusal(model.generate({ messages: ask("What is this?"), images }));
    expect(got).toMatchObject({ code: "ERR_FOVEA_CONTEXT_LENGTH", message: expect.stringMatching(/2048/) });
  });

  it("and afterwards the model answers as before", async () => {
    expect(content(await model.generate(question))).toEqual(answer);
  });
});

describe("messages are refused when", () => {
  const wrong: [string, unknown, RegExp][] = [
    ["they are null", null, /messages/],
    ["they are missing", undefined, /messages/],
    ["they are a string", "hello", /messages/],
    ["they are empty", [], /messages/],
    ["one is null", [null], /messages\[0\]/],
    ["one is a string", ["hi"], /messages\[0\]/],
    ["a role is unknown", [{ role: "robot", content: "hi" }], /messages\[0\]\.role.*robot/],
    ["a role is missing", [{ content: "hi" }], /messages\[0\]\.role/],
    ["a content is a number", [{ role: "user", content: 5 }], /messages\[0\]\.content/],
    ["a content is missing", [{ role: "user" }], /messages\[0\]\.content/],
    ["a content is empty", [{ role: "user", content: [] }], /messages\[0\]\.content/],
    ["a part is null", [{ role: "user", content: [null] }], /content\[0\]/],
    ["a part is unknown", [{ role: "user", content: [{ type: "audio" }] }], /content\[0\]\.type.*audio/],
    ["a text is a number", [{ role: "user", content: [{ type: "text", text: 5 }] }], /content\[0\]\.text/],
    ["an image_url has no url", [{ role: "user", content: [{ type: "image_url", image_url: {} }] }], /image_url\.url/],
    [
      "an image_url is a string",
      [{ role: "user", content: [{ type: "image_url", image_url: "a.png" }] }],
      /image_url\.url/,
    ],
    ["a text holds the image token", [{ role: "user", content: "<image> what?" }], /placeholder/],
    ["images have no user message", [{ role: "system", content: "be kind" }], /user message/],
    ["images are no list", [{ role: "user", content: "hi" }], /images/],
  ];
  it.each(wrong)("%s", async (name, messages, message) => {
    const images = name === "images are no list" ? 5 : name.startsWith("images have") ? [picture(0)] : undefined;
    const options = { messages, images, maxTokens: 1 } as never;
    for (const call of [model.generate(options), model.process(messages as never, { images } as never)]) {
      const got = await refusal(call);
      expect(got.message).toMatch(message);
      expect(got.code).toBe("ERR_FOVEA_INVALID_ARGUMENT");
    }
  });

  it("they are longer than the context", async () => {
    for (const words of [2100, 500_000]) {
      const got = await refusal(model.generate({ messages: ask("dog ".repeat(words)) }));
      expect(got).toMatchObject({ code: "ERR_FOVEA_CONTEXT_LENGTH", message: expect.stringMatching(/2048/) });
    }
  });

  it("and afterwards the model answers as before", async () => {
    expect(content(await model.generate(question))).toEqual(answer);
  });
});
