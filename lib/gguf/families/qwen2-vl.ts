import type { GgufFamily } from "../gguf-family.js";

/** Qwen2-VL and Qwen2.5-VL. Where the file says nothing of them, limits of pixels are those of the published models. */
export const qwen2Vl: GgufFamily = {
  preprocessor({ mmproj }) {
    return {
      patch_size: mmproj["clip.vision.patch_size"],
      merge_size: mmproj["clip.vision.spatial_merge_size"] ?? 2,
      temporal_patch_size: 2,
      min_pixels: mmproj["clip.vision.image_min_pixels"] ?? 56 * 56,
      max_pixels: mmproj["clip.vision.image_max_pixels"] ?? 28 * 28 * 16384,
      image_mean: mmproj["clip.vision.image_mean"],
      image_std: mmproj["clip.vision.image_std"],
    };
  },
  processor: () => ({}),
};
