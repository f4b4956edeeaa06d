import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PreprocessSpec } from "../../lib/native/binding.js";
import { createClipPreprocessor } from "../../lib/vision/clip.js";
import { createIdefics3Preprocessor } from "../../lib/vision/idefics3.js";
import { prepareImages } from "../../lib/vision/prepare-images.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";
import { createQwen2VlPreprocessor } from "../../lib/vision/qwen2-vl.js";

const embedded = fileURLToPath(new URL("../../model/fovea-mini", import.meta.url));
const clip = (preprocessor: object, processor: object = { patch_size: 14 }, model: object = {}) =>
  createClipPreprocessor({
    preprocessor: { ...preprocessor },
    processor: { ...processor },
    model: { ...model },
    video: {},
  });

describe("CLIP preprocessing", () => {
  it("of the embedded model", async () => {
    const preprocessor = await loadImagePreprocessor(embedded);
    const spec = preprocessor.cut(640, 480).tiles[0] as PreprocessSpec;
    expect(spec.resize).toEqual({ width: 298, height: 224 });
    expect(spec.window).toEqual({ left: 37, top: 0, width: 224, height: 224 });
    expect(spec.filter).toBe("bicubic");
    expect(255 * spec.scale[0] + spec.offset[0]).toBeCloseTo((1 - 0.48145466) / 0.26862954, 6);
    expect(spec.offset[2]).toBeCloseTo(-0.40821073 / 0.27577711, 6);
    expect(preprocessor.placeholder(640, 480)).toEqual([256]);
    expect(preprocessor.cut(224, 224).tiles[0]?.resize).toBeNull();
  });

  it("reads the old and the new spellings of sizes", () => {
    const expected = clip({ size: { shortest_edge: 336 }, crop_size: { height: 336, width: 336 } }).cut(500, 400)
      .tiles[0] as PreprocessSpec;
    expect(expected.resize).toEqual({ width: 420, height: 336 });
    expect(clip({ size: 336, crop_size: 336 }).cut(500, 400).tiles[0]).toEqual(expected);
    const box = clip({ size: { height: 20, width: 30 }, do_center_crop: false }).cut(500, 400)
      .tiles[0] as PreprocessSpec;
    expect(box.resize).toEqual({ width: 30, height: 20 });
    expect(box.window).toEqual({ left: 0, top: 0, width: 30, height: 20 });
  });

  it("follows the do_* flags", () => {
    const plain = clip({ do_resize: false, do_center_crop: false, do_rescale: false, do_normalize: false }).cut(9, 7)
      .tiles[0] as PreprocessSpec;
    expect(plain).toMatchObject({ resize: null, window: { left: 0, top: 0, width: 9, height: 7 } });
    expect([plain.scale, plain.offset]).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
    expect(clip({ do_normalize: false }).cut(9, 7).tiles[0]?.scale).toEqual([1 / 255, 1 / 255, 1 / 255]);
    const bytes = clip({ do_rescale: false, image_mean: [10, 20, 30], image_std: [2, 4, 5] }).cut(9, 7)
      .tiles[0] as PreprocessSpec;
    expect([bytes.scale, bytes.offset]).toEqual([
      [0.5, 0.25, 0.2],
      [-5, -5, -6],
    ]);
  });

  it("knows Pillow's filters", () => {
    const names = [0, 1, 2, 3, 4, 5].map((resample) => clip({ resample }).cut(9, 7).tiles[0]?.filter);
    expect(names).toEqual(["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]);
  });

  it("pads what is smaller than the crop", () => {
    expect(clip({ do_resize: false, crop_size: 224 }).cut(221, 300).tiles[0]?.window).toMatchObject({
      left: -1,
      top: 38,
    });
  });

  it.each<[string, object]>([
    ["unknown filter", { resample: 6 }],
    ["zero size", { size: { shortest_edge: 0 } }],
    ["absurd size", { size: 1e9 }],
    ["fractional crop", { crop_size: 224.5 }],
    ["two means", { image_mean: [1, 2] }],
    ["zero deviation", { image_std: [1, 0, 1] }],
    ["text for a flag", { do_resize: "yes" }],
    ["text for a factor", { rescale_factor: "1/255" }],
  ])("refuses a damaged file: %s", (_, preprocessor) => {
    expect(() => clip(preprocessor)).toThrow(expect.objectContaining({ code: "ERR_FOVEA_MODEL_FORMAT" }));
  });

  it("refuses options it would ignore", () => {
    for (const preprocessor of [{ do_pad: true }, { size: { shortest_edge: 224, longest_edge: 448 } }]) {
      expect(() => clip(preprocessor)).toThrow(expect.objectContaining({ code: "ERR_FOVEA_MODEL_UNSUPPORTED" }));
    }
  });

  it("refuses images so narrow that resizing explodes", () => {
    expect(clip({}).cut(1, 292).tiles[0]?.resize).toEqual({ width: 224, height: 65408 });
    expect(() => clip({}).cut(1, 293)).toThrow(/aspect ratio/);
    expect(() => clip({}).cut(40000, 2, 4)).toThrow(
      expect.objectContaining({
        code: "ERR_FOVEA_IMAGE",
        message: expect.stringMatching(/Image 4: 40000 x 2 .*aspect ratio/),
      }),
    );
  });
});

describe("rows per image", () => {
  const rows = (processor: object, model: object = {}) => clip({}, processor, model).placeholder(640, 480)[0];

  it("follow the processor's file", () => {
    expect(rows({ patch_size: 14, num_additional_image_tokens: 1, vision_feature_select_strategy: "default" })).toBe(
      256,
    );
    expect(rows({ patch_size: 14, num_additional_image_tokens: 1, vision_feature_select_strategy: "full" })).toBe(257);
    expect(rows({ patch_size: 16, num_additional_image_tokens: 0, vision_feature_select_strategy: "full" })).toBe(196);
  });

  it("fall back to the model's config for old processors", () => {
    const vision = { model_type: "clip_vision_model", patch_size: 32 };
    expect(rows({}, { vision_config: vision })).toBe(49);
    expect(rows({}, { vision_config: vision, vision_feature_select_strategy: "full" })).toBe(50);
    const siglip = { model_type: "siglip_vision_model", patch_size: 32 };
    expect(rows({}, { vision_config: siglip, vision_feature_select_strategy: "full" })).toBe(49);
  });

  it("refuse what they cannot count", () => {
    expect(() => rows({})).toThrow(/patch_size/);
    expect(() => rows({ patch_size: 14, vision_feature_select_strategy: "some" })).toThrow(/strategy "some"/);
  });
});

describe("loadImagePreprocessor", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fovea-preprocess-"));
    for (const name of ["config.json", "preprocessor_config.json"]) await cp(join(embedded, name), join(folder, name));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("works without processor_config.json", async () => {
    expect((await loadImagePreprocessor(folder)).placeholder(10, 10)).toEqual([256]);
  });

  it("finds the image processor inside processor_config.json", async () => {
    await rm(join(folder, "preprocessor_config.json"));
    await writeFile(
      join(folder, "processor_config.json"),
      JSON.stringify({ image_processor: { size: 112, crop_size: 112 } }),
    );
    expect((await loadImagePreprocessor(folder)).placeholder(10, 10)).toEqual([64]);
  });

  it("names what is missing or unknown", async () => {
    await writeFile(join(folder, "config.json"), '{"model_type": "bert"}');
    await expect(loadImagePreprocessor(folder)).rejects.toThrow(/model_type "bert".*llava/);
    await rm(join(folder, "preprocessor_config.json"));
    await expect(loadImagePreprocessor(folder)).rejects.toThrow(/No preprocessor_config.json/);
    await rm(join(folder, "config.json"));
    await expect(loadImagePreprocessor(folder)).rejects.toThrow(
      expect.objectContaining({ code: "ERR_FOVEA_MODEL_NOT_FOUND" }),
    );
  });
});

describe("Qwen2-VL preprocessing", () => {
  const qwen = (preprocessor: object) =>
    createQwen2VlPreprocessor({ preprocessor: { ...preprocessor }, processor: {}, model: {}, video: {} });

  // As smart_resize of transformers says: halves to the even side, within the limits, and outside of them.
  it.each([
    [640, 480, 644, 476],
    [42, 70, 56, 56],
    [98, 126, 112, 112],
    [14, 14, 56, 56],
    [70, 14, 140, 28],
    [1, 150, 28, 700],
    [3000, 4000, 840, 1148],
    [5000, 30, 5012, 28],
  ])("makes %i x %i to %i x %i", (width, height, newWidth, newHeight) => {
    const { resizes, tiles } = qwen({}).cut(width, height);
    expect(resizes).toEqual([]);
    expect(tiles[0]).toMatchObject({
      resize: { width: newWidth, height: newHeight },
      window: { left: 0, top: 0, width: newWidth, height: newHeight },
      filter: "bicubic",
    });
    expect(qwen({}).placeholder(width, height)).toEqual([(newWidth / 28) * (newHeight / 28)]);
  });

  it("reads the old and the new spellings of its limits, and leaves a picture that fits", () => {
    for (const limits of [
      { min_pixels: 28 ** 2, max_pixels: 4 * 28 ** 2 },
      { size: { shortest_edge: 28 ** 2, longest_edge: 4 * 28 ** 2 } },
      { size: { min_pixels: 28 ** 2, max_pixels: 4 * 28 ** 2 } },
      { min_pixels: 28 ** 2, max_pixels: 4 * 28 ** 2, size: { shortest_edge: 56 ** 2, longest_edge: 28 ** 2 * 1280 } },
    ]) {
      expect(qwen(limits).cut(280, 280).tiles[0]?.resize).toEqual({ width: 56, height: 56 });
      expect(qwen(limits).cut(28, 28).tiles[0]?.resize).toBeNull();
    }
    expect(qwen({ patch_size: 16 }).placeholder(640, 480)).toEqual([20 * 15]);
  });

  it("makes smaller pictures of whole squares", () => {
    expect(qwen({}).smaller(0.5).placeholder(280, 140)).toEqual([5 * 3]);
    expect(qwen({}).smaller(1).placeholder(280, 140)).toEqual([10 * 5]);
    expect(qwen({}).smaller(0.01).placeholder(280, 140)).toEqual([1]);
  });

  it("refuses what does not fit", () => {
    expect(() => qwen({}).cut(201, 1, 2)).toThrow(/Image 2: 201 x 1 .* 200 times/);
    expect(() => qwen({ do_resize: false }).cut(30, 28)).toThrow(/multiples of 28/);
    expect(() => qwen({ max_pixels: 1e12, min_pixels: 1e12 }).cut(30, 28)).toThrow(/would be resized/);
    for (const damaged of [
      { min_pixels: 0 },
      { max_pixels: 1 },
      { max_pixels: "many" },
      { patch_size: 0 },
      { merge_size: 1.5 },
    ]) {
      expect(() => qwen(damaged)).toThrow(expect.objectContaining({ code: "ERR_FOVEA_MODEL_FORMAT" }));
    }
  });
});

describe("Idefics3 preprocessing", () => {
  const idefics3 = (preprocessor: object, processor: object = { image_seq_len: 64 }) =>
    createIdefics3Preprocessor({
      preprocessor: { ...preprocessor },
      processor: { ...processor },
      model: {},
      video: {},
    });
  const smolvlm = { size: { longest_edge: 2048 }, max_image_size: { longest_edge: 512 } };

  it("of SmolVLM makes 17 tiles of a square picture, however small", () => {
    const { resizes, tiles } = idefics3(smolvlm).cut(10, 10);
    expect(resizes).toEqual([
      { width: 2048, height: 2048 },
      { width: 2048, height: 2048 },
    ]);
    expect(tiles).toHaveLength(17);
    expect(tiles[5]).toMatchObject({ resize: null, window: { left: 512, top: 512, width: 512, height: 512 } });
    expect(tiles[16]?.resize).toEqual({ width: 512, height: 512 });
    expect(tiles[0]?.filter).toBe("lanczos");
  });

  it("sees a picture whole that is not to be split, or that is one tile", () => {
    for (const options of [
      { ...smolvlm, do_image_splitting: false },
      { ...smolvlm, size: { longest_edge: 512 } },
    ]) {
      const preprocessor = idefics3(options);
      expect(preprocessor.cut(100, 100).tiles).toHaveLength(1);
      expect(preprocessor.placeholder(100, 100)).toEqual([
        "<fake_token_around_image><global-img>",
        64,
        "<fake_token_around_image>",
      ]);
    }
  });

  it("bounds tiles and sizes", () => {
    const many = idefics3({ size: { longest_edge: 4096 }, max_image_size: { longest_edge: 64 } });
    expect(() => many.cut(10, 10, 3)).toThrow(/Image 3: 10 x 10 would be cut into 4096 tiles; at most 1024/);
    expect(() => idefics3({ do_resize: false, max_image_size: 16384 }).cut(16385, 16384)).toThrow(
      /aspect ratio|resized/,
    );
    // Longer edges than 4096 are cut down to it.
    expect(idefics3({ size: { longest_edge: 9000 }, max_image_size: 4096 }).cut(20, 10).resizes).toEqual([
      { width: 4096, height: 2048 },
      { width: 4096, height: 4096 },
    ]);
  });

  it.each([
    ["size", { size: { longest_edge: 0 } }],
    ["max_image_size", { max_image_size: { longest_edge: 1e9 } }],
    ["do_image_splitting", { do_image_splitting: 1 }],
    ["image_std", { image_std: [0, 1, 1] }],
  ])("refuses a damaged file: %s", (key, preprocessor) => {
    expect(() => idefics3(preprocessor)).toThrow(
      expect.objectContaining({ code: "ERR_FOVEA_MODEL_FORMAT", message: expect.stringContaining(key) }),
    );
  });

  it("refuses to make pictures smaller, by the method's name", () => {
    expect(idefics3(smolvlm).smaller(1).cut(10, 10).tiles).toHaveLength(17);
    expect(() => idefics3(smolvlm).smaller(0.5)).toThrow(/downscale/);
  });
});

describe("prepareImages", () => {
  const image = (width: number) => ({ width, height: 2, data: new Uint8Array(width * 6) });
  const preprocessor = clip({ size: { height: 28, width: 28 }, crop_size: 28 });

  const resize = async () => {
    throw new Error("CLIP resizes once, while it scales");
  };
  const pad = async () => {
    throw new Error("CLIP puts pictures into no larger one");
  };

  it("hands every image to the addon, in order", async () => {
    const calls: [number, number, number, PreprocessSpec][] = [];
    const prepared = await prepareImages([image(3), image(5)], preprocessor, {
      pad,
      resize,
      preprocess: async (rgb, width, height, spec) => {
        calls.push([rgb.length, width, height, spec]);
        return new Float32Array(3 * 28 * 28);
      },
    });
    expect(calls.map((call) => call.slice(0, 3))).toEqual([
      [18, 3, 2],
      [30, 5, 2],
    ]);
    expect(prepared.placeholders).toEqual([[4], [4]]);
    expect(prepared.images.map(({ width, height }) => [width, height])).toEqual([
      [28, 28],
      [28, 28],
    ]);
  });

  it("refuses images that no context holds before it makes pixels of them all", async () => {
    let made = 0;
    const binding = { pad, resize, preprocess: async () => new Float32Array(++made) };
    await expect(prepareImages([image(3), image(5)], preprocessor, binding, { maxRows: 7 })).rejects.toMatchObject({
      code: "ERR_FOVEA_CONTEXT_LENGTH",
    });
    expect(made).toBe(1);
  });

  it("names the image that fails and stops when aborted", async () => {
    const never = { pad, resize, preprocess: async () => new Float32Array() };
    await expect(prepareImages([image(3), Buffer.from("x")], preprocessor, never)).rejects.toThrow(/Image 1:/);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(prepareImages([image(3)], preprocessor, never, { signal })).rejects.toThrow("enough");
  });
});
