import { isRecord } from "../../is-record.js";
import { chatml } from "../chatml.js";
import type { GgufFamily } from "../gguf-family.js";

/** InternVL2.5 and InternVL3. Where the file says nothing of it, as many tiles as the published models make. */
export const internvl: GgufFamily = {
  preprocessor({ mmproj }) {
    const side = mmproj["clip.vision.image_size"];
    return {
      size: { width: side, height: side },
      min_patches: mmproj["clip.vision.preproc_min_tiles"] ?? 1,
      max_patches: mmproj["clip.vision.preproc_max_tiles"] ?? 12,
      image_mean: mmproj["clip.vision.image_mean"],
      image_std: mmproj["clip.vision.image_std"],
    };
  },
  processor({ config }) {
    const vision = isRecord(config.vision_config) ? config.vision_config : {};
    const side = Math.floor(Number(vision.image_size) / Number(vision.patch_size)) * Number(config.downsample_ratio);
    return { image_seq_length: side ** 2 };
  },
  // Files are converted from the authors' own layout, whose template leaves pictures to their code: one before each
  // of their lines, in turns as the decoder knows them.
  chatTemplate: () => chatml("<IMG_CONTEXT>\n"),
  turnEnds: ["<|im_end|>"],
};
