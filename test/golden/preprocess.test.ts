import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import type { NativeBinding, PreprocessSpec } from "../../lib/native/binding.js";
import { loadBinding } from "../../lib/native/load.js";
import { decodeImage } from "../../lib/vision/decode.js";
import { prepareImages } from "../../lib/vision/prepare-images.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";
import { createClipPreprocessor } from "../../lib/vision/clip.js";

interface Recording {
  images: { file: string; size: [number, number]; sha256: string; at: number[]; values: number[] }[];
  resizes: [width: number, height: number, shortest: number, newWidth: number, newHeight: number][];
  crops: [width: number, height: number, cropWidth: number, cropHeight: number, left: number, top: number][];
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const golden = JSON.parse(readFileSync(path("./preprocess/golden.json"), "utf8")) as Recording;

describe("pixels decoded as Pillow decodes them, byte for byte", () => {
  it.each(golden.images)("$file", async ({ file, size, sha256 }) => {
    const image = await decodeImage(path(`./preprocess/${file}`));
    expect([image.width, image.height]).toEqual(size);
    expect(createHash("sha256").update(image.data).digest("hex")).toBe(sha256);
  });
});

describe("pixels as transformers' image processor prepares them, at most 1/255 off", () => {
  let binding: NativeBinding;
  beforeAll(() => {
    binding = loadBinding();
  });

  it.each(golden.images)("$file", async ({ file, at, values }) => {
    const preprocessor = await loadImagePreprocessor(path("../../model/fovea-mini"));
    const { images, placeholders } = await prepareImages([path(`./preprocess/${file}`)], preprocessor, binding);
    expect(placeholders).toEqual([[256]]);
    const { pixels, width, height } = images[0] as (typeof images)[0];
    expect([width, height, pixels.length]).toEqual([224, 224, 3 * 224 * 224]);

    const { scale, offset } = preprocessor.cut(width, height).tiles[0] as PreprocessSpec;
    const expected = await sharp(path(`./preprocess/${file}.expected.png`))
      .raw()
      .toBuffer(); // (224, 224, 3)
    let worst = 0;
    for (let channel = 0; channel < 3; channel++) {
      for (let pixel = 0; pixel < 224 * 224; pixel++) {
        const value = pixels[channel * 224 * 224 + pixel] as number;
        const level = (value - (offset[channel] as number)) / (scale[channel] as number);
        worst = Math.max(worst, Math.abs(level - (expected[pixel * 3 + channel] as number))); // NaN stays NaN
      }
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
    // One level is at most 0.0152 after CLIP's normalisation.
    for (const [i, index] of at.entries())
      expect(Math.abs((pixels[index] as number) - (values[i] as number))).toBeLessThan(0.0153);
  });
});

describe("geometry", () => {
  const clip = (preprocessor: object) =>
    createClipPreprocessor({ preprocessor: { ...preprocessor }, processor: { patch_size: 14 }, model: {}, video: {} });

  it("resizes to the sizes of transformers", () => {
    expect(golden.resizes.length).toBeGreaterThan(500);
    for (const [width, height, shortest, newWidth, newHeight] of golden.resizes) {
      const { resize } = clip({ size: { shortest_edge: shortest } }).cut(width, height).tiles[0] as PreprocessSpec;
      expect(resize ?? { width, height }, `${width} x ${height} to ${shortest}`).toEqual({
        width: newWidth,
        height: newHeight,
      });
    }
  });

  it("crops where transformers crops", () => {
    expect(golden.crops.length).toBeGreaterThan(10);
    for (const [width, height, cropWidth, cropHeight, left, top] of golden.crops) {
      const crop = clip({ do_resize: false, crop_size: { width: cropWidth, height: cropHeight } });
      expect(crop.cut(width, height).tiles[0]?.window, `${cropWidth} x ${cropHeight} of ${width} x ${height}`).toEqual({
        left,
        top,
        width: cropWidth,
        height: cropHeight,
      });
    }
  });
});
