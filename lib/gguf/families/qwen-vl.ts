import type { JsonObject } from "../../hub/model-file.js";
import type { GgufFamily } from "../gguf-family.js";

/** Of Qwen2-VL and Qwen2.5-VL as published, in pixels. */
const qwen2Limits = { min: 56 * 56, max: 28 * 28 * 16384 };
/** Of Qwen3-VL. */
const qwen3Limits = { min: 256 * 256, max: 4096 * 4096 };

/** What preprocessor_config.json would hold. Where the file says no limits of pixels, they are those of the published models. */
function preprocessor(mmproj: JsonObject, limits: { min: number; max: number }): JsonObject {
  return {
    patch_size: mmproj["clip.vision.patch_size"],
    merge_size: mmproj["clip.vision.spatial_merge_size"] ?? 2,
    temporal_patch_size: 2,
    min_pixels: mmproj["clip.vision.image_min_pixels"] ?? limits.min,
    max_pixels: mmproj["clip.vision.image_max_pixels"] ?? limits.max,
    image_mean: mmproj["clip.vision.image_mean"],
    image_std: mmproj["clip.vision.image_std"],
  };
}

/** Qwen2-VL and Qwen2.5-VL. */
export const qwen2Vl: GgufFamily = {
  preprocessor: ({ mmproj }) => preprocessor(mmproj, qwen2Limits),
  processor: () => ({}),
};

/** Qwen3-VL. */
export const qwen3Vl: GgufFamily = {
  preprocessor: ({ mmproj }) => preprocessor(mmproj, qwen3Limits),
  // Files say nothing of videos, whose limits are others: those of the published models.
  processor({ mmproj }) {
    const { min_pixels, max_pixels, ...same } = preprocessor(mmproj, qwen3Limits);
    return { video_processor: { ...same, size: { shortest_edge: 64 ** 2, longest_edge: 768 * 32 ** 3 } } };
  },
};
