// CLIP's image preprocessing: resize, centre crop, rescale, normalise. LLaVA uses it unchanged.
import { FoveaError } from "../errors.js";
import type { JsonObject } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import type { PreprocessSpec } from "../native/binding.js";
import { checkResized } from "./check-resized.js";
import { readBox, readFilter, readFlag, readNumber, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor, Size } from "./image-preprocessor.js";
import { requireLimits } from "./require-limits.js";

/** Mean and deviation of the images that CLIP was trained on, CLIPImageProcessor's defaults. */
export const clipMean: [number, number, number] = [0.48145466, 0.4578275, 0.40821073];
export const clipStd: [number, number, number] = [0.26862954, 0.26130258, 0.27577711];

/** The preprocessing that CLIPImageProcessor of transformers does, and LlavaProcessor's count of rows. */
export function createClipPreprocessor(config: ImageConfig): ImagePreprocessor {
  const { preprocessor } = config;
  if (readFlag(preprocessor, "do_pad", false)) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      'preprocessor_config.json: "do_pad" is not supported for CLIP preprocessing. Set it to false.',
    );
  }
  const resizedSize = readResize(preprocessor);
  const crop = readFlag(preprocessor, "do_center_crop", true)
    ? readBox(preprocessor.crop_size ?? 224, "crop_size")
    : null;
  const filter = readFilter(preprocessor, "resample", 3);
  const { scale, offset } = readScaling(preprocessor, clipMean, clipStd);
  const countRows = readRowRule(config);

  return {
    cut(width, height, index = 0) {
      const size = resizedSize({ width, height });
      checkResized({ width, height }, size, index);
      const isSame = size.width === width && size.height === height;
      const window = centreWindow(size, crop ?? size);
      return { resizes: [], tiles: [{ resize: isSame ? null : size, filter, window, scale, offset }] };
    },
    placeholder: (width, height) => [countRows(crop ?? resizedSize({ width, height }))],
    within(limit) {
      requireLimits(limit, ["side"]);
      const { side } = limit;
      return createClipPreprocessor(side === 1 ? config : { ...config, preprocessor: shrink(preprocessor, side) });
    },
  };
}

/** The same settings for a picture whose sides are `share` as long. */
function shrink(preprocessor: JsonObject, share: number): JsonObject {
  const smaller = (value: unknown): unknown =>
    typeof value === "number"
      ? Math.round(value * share)
      : isRecord(value)
        ? Object.fromEntries(Object.entries(value).map(([key, side]) => [key, smaller(side)]))
        : value;
  return {
    ...preprocessor,
    size: smaller(preprocessor.size ?? 224),
    crop_size: smaller(preprocessor.crop_size ?? 224),
  };
}

/** "size": how large an image becomes, from its own size. */
function readResize(config: JsonObject): (image: Size) => Size {
  if (!readFlag(config, "do_resize", true)) return (image) => image;
  const size = config.size ?? 224;
  if (isRecord(size) && !("shortest_edge" in size)) {
    const box = readBox(size, "size");
    return () => box;
  }
  if (isRecord(size) && size.longest_edge != null) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      'preprocessor_config.json: "size" with both shortest_edge and longest_edge is not supported for CLIP preprocessing.',
    );
  }
  const shortest = readSide(isRecord(size) ? size.shortest_edge : size, "size.shortest_edge");
  // The long side is truncated, not rounded, and multiplied before it is divided.
  return ({ width, height }) =>
    width <= height
      ? { width: shortest, height: Math.trunc((shortest * height) / width) }
      : { width: Math.trunc((shortest * width) / height), height: shortest };
}

/** The middle of an image; an image smaller than the window gets zeros around it, one more on the far side if odd. */
function centreWindow(image: Size, window: Size): PreprocessSpec["window"] {
  const start = (inner: number, outer: number) =>
    inner <= outer ? Math.floor((outer - inner) / 2) : 0 - Math.floor((inner - outer) / 2);
  return { left: start(window.width, image.width), top: start(window.height, image.height), ...window };
}

/** Visual rows from the size of what the tower sees. */
function readRowRule({ processor, model }: ImageConfig): (seen: Size) => number {
  const vision = isRecord(model.vision_config) ? model.vision_config : {};
  const patch = readSide(processor.patch_size ?? vision.patch_size, "patch_size");
  // Processors from before 2025 do not count the tower's class token; the model's own config tells.
  const hasClassToken = (vision.model_type ?? "clip_vision_model") === "clip_vision_model";
  const extra = readNumber(processor, "num_additional_image_tokens", hasClassToken ? 1 : 0);
  const strategy = processor.vision_feature_select_strategy ?? model.vision_feature_select_strategy ?? "default";
  if (strategy !== "default" && strategy !== "full") {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `vision_feature_select_strategy ${JSON.stringify(strategy)} is not supported; expected "default" or "full".`,
    );
  }
  const added = extra - (strategy === "default" ? 1 : 0);
  return ({ width, height }) => Math.floor(width / patch) * Math.floor(height / patch) + added;
}
