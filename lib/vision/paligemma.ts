// PaliGemma: a picture is stretched to the tower's square, and its rows stand before the text.
import { isRecord } from "../is-record.js";
import { readSide, readTokenId } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor } from "./image-preprocessor.js";
import { createStretch } from "./stretch.js";

/** What SiglipImageProcessor of transformers does, and how PaliGemmaProcessor writes an image. */
export function createPaliGemmaPreprocessor({ preprocessor, model }: ImageConfig): ImagePreprocessor {
  const vision = isRecord(model.vision_config) ? model.vision_config : {};
  const side = Math.floor(
    readSide(vision.image_size ?? 224, "image_size") / readSide(vision.patch_size ?? 16, "patch_size"),
  );
  const rows = readSide(preprocessor.image_seq_length ?? side ** 2, "image_seq_length");
  const image = readTokenId(model.image_token_id ?? model.image_token_index ?? 256_000, "image_token_index");
  return { ...createStretch(preprocessor, 3), mark: { token: image }, placeholder: () => [rows] };
}
