import type { GgufFamily } from "../gguf-family.js";

/** Gemma 3. */
export const gemma3: GgufFamily = {
  preprocessor({ mmproj }) {
    const side = mmproj["clip.vision.image_size"];
    return {
      size: { width: side, height: side },
      image_mean: mmproj["clip.vision.image_mean"],
      image_std: mmproj["clip.vision.image_std"],
    };
  },
  processor: ({ config }) => ({ image_seq_length: config.mm_tokens_per_image }),
  // Published files name the end of the text alone, which the model never says.
  turnEnds: ["<end_of_turn>"],
};
