import { isRecord } from "../../is-record.js";
import type { GgufFamily } from "../gguf-family.js";

/** Idefics3, SmolVLM and SmolVLM2. */
export const idefics3: GgufFamily = {
  preprocessor({ mmproj }) {
    const tile = Number(mmproj["clip.vision.image_size"]);
    return {
      // Older files do not say how large a picture becomes; of published models it is four tiles.
      size: { longest_edge: mmproj["clip.vision.preproc_image_size"] ?? 4 * tile },
      max_image_size: { longest_edge: tile },
      image_mean: mmproj["clip.vision.image_mean"],
      image_std: mmproj["clip.vision.image_std"],
    };
  },
  processor({ config }) {
    const vision = isRecord(config.vision_config) ? config.vision_config : {};
    const side = Math.floor(Number(vision.image_size) / Number(vision.patch_size)) / Number(config.scale_factor);
    return { image_seq_len: side ** 2 };
  },
};
