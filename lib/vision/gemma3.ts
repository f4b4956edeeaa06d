// Gemma 3: a picture is stretched to the tower's square, and written between two tokens and line breaks.
import { FoveaError } from "../errors.js";
import { readFlag, readSide, readTokenId } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor } from "./image-preprocessor.js";
import { createStretch } from "./stretch.js";

/** What Gemma3ImageProcessor of transformers does, and how Gemma3Processor writes an image. */
export function createGemma3Preprocessor({ preprocessor, processor, model }: ImageConfig): ImagePreprocessor {
  if (readFlag(preprocessor, "do_pan_and_scan", false)) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      'preprocessor_config.json: "do_pan_and_scan" cuts long pictures into crops, which Fovea does not. Set it to false.',
    );
  }
  const rows = readSide(processor.image_seq_length ?? model.mm_tokens_per_image ?? 256, "image_seq_length");
  const begin = readTokenId(model.boi_token_id ?? model.boi_token_index ?? 255_999, "boi_token_index");
  const end = readTokenId(model.eoi_token_id ?? model.eoi_token_index ?? 256_000, "eoi_token_index");
  const image = readTokenId(model.image_token_id ?? model.image_token_index ?? 262_144, "image_token_index");
  return {
    ...createStretch(preprocessor, 2),
    mark: { token: begin, text: ["\n\n", begin, image, end, "\n\n"] },
    placeholder: () => [rows],
  };
}
