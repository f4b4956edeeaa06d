import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cmykToRgb } from "../../lib/vision/cmyk-to-rgb.js";
import { decodeImage } from "../../lib/vision/decode.js";
import type { ImageInput } from "../../lib/vision/image-input.js";

const sample = (name: string) => fileURLToPath(new URL(`../golden/preprocess/${name}`, import.meta.url));
const expectRefused = (image: ImageInput, message: RegExp, options = {}) =>
  expect(decodeImage(image, options).then(({ width, height }) => [width, height])).rejects.toThrow(
    expect.objectContaining({ code: "ERR_FOVEA_IMAGE", message: expect.stringMatching(message) }),
  );

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fovea-decode-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("decodeImage", () => {
  it("takes paths, bytes, views into larger buffers and data URLs alike", async () => {
    const bytes = await readFile(sample("rgb.png"));
    const larger = new Uint8Array(bytes.length + 10);
    larger.set(bytes, 5);
    const expected = await decodeImage(sample("rgb.png"));
    expect(expected.data.length).toBe(301 * 200 * 3);
    for (const image of [
      bytes,
      larger.subarray(5, 5 + bytes.length),
      `data:image/png;base64,${bytes.toString("base64")}`,
      `DATA:;BASE64,${bytes.toString("base64url")}`,
    ]) {
      const decoded = await decodeImage(image);
      expect(decoded.width).toBe(301);
      expect(Buffer.compare(decoded.data, expected.data)).toBe(0);
    }
  });

  it("reads long data URLs in slices, with or without line breaks", async () => {
    const image = sharp(sample("one-bit.png")).resize(900, 700).toColourspace("srgb").png({ compressionLevel: 0 });
    const bytes = await image.toBuffer();
    expect(bytes.length).toBeGreaterThan(1_500_000);
    const expected = await decodeImage(bytes);
    const base64 = bytes.toString("base64");
    for (const text of [base64, base64.replace(/.{76}/g, "$&\n")]) {
      const decoded = await decodeImage(`data:image/png;base64,${text}`);
      expect(Buffer.compare(decoded.data, expected.data)).toBe(0);
    }
  });

  it("takes raw pixels and drops their alpha", async () => {
    const rgb = new Uint8Array([1, 2, 3, 4, 5, 6]);
    const rgba = new Uint8ClampedArray([1, 2, 3, 0, 4, 5, 6, 128]);
    expect([...(await decodeImage({ width: 2, height: 1, data: rgb })).data]).toEqual([...rgb]);
    expect([...(await decodeImage({ width: 2, height: 1, data: rgba })).data]).toEqual([...rgb]);
  });

  it("reads the first frame of an animation", async () => {
    const { width, height } = await decodeImage(sample("animated.gif"));
    expect([width, height]).toEqual([160, 110]);
  });

  it("converts CMYK with the event loop turning in between", async () => {
    const pixels = 1024 * 1024;
    let isDone = false;
    const conversion = cmykToRgb(new Uint8Array(pixels * 4).fill(51)).finally(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone; turns++) await setImmediate();
    expect(turns).toBeGreaterThanOrEqual(3);
    const rgb = await conversion;
    expect(rgb.length).toBe(pixels * 3);
    expect(rgb.every((value) => value === 163)).toBe(true); // 204 * 204 / 255
  });
});

describe("decodeImage refuses", () => {
  it.each(["rgb.png", "photo.jpg", "progressive.jpg", "lossy.webp", "animated.gif", "cmyk.jpg"])(
    "%s cut short",
    async (name) => {
      const bytes = await readFile(sample(name));
      // The first half of the animation holds its whole first frame.
      for (const share of name === "animated.gif" ? [0.02, 0.3] : [0.02, 0.3, 0.6, 0.95]) {
        await expectRefused(
          bytes.subarray(0, Math.max(16, Math.floor(bytes.length * share))),
          /Image 7: it is damaged/,
          {
            index: 7,
          },
        );
      }
    },
  );

  it("a PNG with flipped bytes", async () => {
    const bytes = await readFile(sample("rgb.png"));
    bytes.fill(0x55, 5000, 5100);
    await expectRefused(bytes, /damaged/);
  });

  it("what is not there or not a file", async () => {
    await expectRefused(join(folder, "missing.png"), /Image 3: cannot read .*missing\.png \(ENOENT\)/, { index: 3 });
    await expectRefused(folder, /not a regular file/);
    await expectRefused("a\0b", /cannot read/);
  });

  it("web addresses, without fetching them", async () => {
    await expectRefused("https://example.org/cat.jpg", /does not fetch. Fetch it and pass the bytes/);
    await expectRefused("HTTP://169.254.169.254/", /does not fetch/);
  });

  it("data URLs that are none", async () => {
    await expectRefused("data:image/png;base64", /data URL/);
    await expectRefused("data:text/plain,hello", /data URL/);
    await expectRefused("data:image/png;base64,", /empty/);
    await expectRefused("data:image/png;base64,aGVsbG8gd29ybGQ=", /no known format/);
  });

  it("formats we do not test", async () => {
    await expectRefused(
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      /expected JPEG, PNG/,
    );
    await expectRefused(await sharp(sample("rgb.png")).tiff().toBuffer(), /expected JPEG, PNG/);
    await expectRefused(new Uint8Array(0), /empty/);
  });

  it("too many bytes, before reading them", async () => {
    const path = join(folder, "huge.png");
    await writeFile(path, "");
    await truncate(path, 65 * 1024 * 1024);
    await expectRefused(path, /68157440 bytes are more than/);
    await expectRefused(new Uint8Array(11), /11 bytes are more than the 10/, { maxBytes: 10 });
    await expectRefused(`data:image/png;base64,${"A".repeat(16)}`, /12 bytes are more than the 10/, { maxBytes: 10 });
  });

  it("image bombs, before decoding them", async () => {
    const bomb = await sharp({ create: { width: 12000, height: 12000, channels: 3, background: "white" } })
      .png({ compressionLevel: 9 })
      .toBuffer();
    expect(bomb.length).toBeLessThan(2_000_000);
    const before = process.memoryUsage().rss;
    await expectRefused(bomb, /12000 x 12000 pixels are more than/);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it.each<[string, unknown, RegExp]>([
    ["too few bytes", { width: 2, height: 2, data: new Uint8Array(11) }, /need 12 \(RGB\) or 16 \(RGBA\) .* got 11/],
    ["no area", { width: 0, height: 2, data: new Uint8Array(0) }, /positive integers, got 0 x 2/],
    ["a broken width", { width: 1.5, height: 2, data: new Uint8Array(9) }, /positive integers/],
    ["an absurd area", { width: 1e9, height: 1e9, data: new Uint8Array(3) }, /more than/],
    ["other data", { width: 1, height: 1, data: [1, 2, 3] }, /expected a path/],
    ["nothing", {}, /expected a path/],
    ["null", null, /expected a path/],
  ])("raw pixels with %s", async (_, image, message) => {
    await expectRefused(image as ImageInput, message);
  });
});
