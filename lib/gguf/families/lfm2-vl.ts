import { chatml } from "../chatml.js";
import type { GgufFamily } from "../gguf-family.js";

/**
 * LFM2-VL and LFM2.5-VL. Files say nothing of tiles and of how many rows a picture may have: those of the published
 * models, which preprocessing takes where nothing is said (`lib/vision/lfm2-vl.ts`), and llama.cpp has in its code.
 */
export const lfm2Vl: GgufFamily = {
  preprocessor: ({ config, mmproj }) => ({
    encoder_patch_size: mmproj["clip.vision.patch_size"],
    downsample_factor: config.downsample_factor,
    image_mean: mmproj["clip.vision.image_mean"],
    image_std: mmproj["clip.vision.image_std"],
  }),
  processor: () => ({}),
  chatTemplate: () => chatml("<image>", "{{ bos_token }}"),
  turnEnds: ["<|im_end|>"],
};
