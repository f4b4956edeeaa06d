// Gemma 3: a picture is stretched to the tower's square. Its proportions are lost.
import { FoveaError } from "../errors.js";
import { checkResized } from "./check-resized.js";
import { readBox, readFilter, readFlag, readScaling, readSide, readTokenId } from "./config-fields.js";
import type { ImageConfig, ImagePreprocessor } from "./image-preprocessor.js";
import { requireLimits } from "./require-limits.js";

const half: [number, number, number] = [0.5, 0.5, 0.5];

/** What Gemma3ImageProcessor of transformers does, and how Gemma3Processor writes an image. */
export function createGemma3Preprocessor({ preprocessor, processor, model }: ImageConfig): ImagePreprocessor {
  if (readFlag(preprocessor, "do_pan_and_scan", false)) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      'preprocessor_config.json: "do_pan_and_scan" cuts long pictures into crops, which Fovea does not. Set it to false.',
    );
  }
  const size = readFlag(preprocessor, "do_resize", true) ? readBox(preprocessor.size ?? 224, "size") : null;
  const filter = readFilter(preprocessor, "resample", 2);
  const scaling = readScaling(preprocessor, half, half);
  const rows = readSide(processor.image_seq_length ?? model.mm_tokens_per_image ?? 256, "image_seq_length");
  const begin = readTokenId(model.boi_token_id ?? model.boi_token_index ?? 255_999, "boi_token_index");
  const end = readTokenId(model.eoi_token_id ?? model.eoi_token_index ?? 256_000, "eoi_token_index");
  const image = readTokenId(model.image_token_id ?? model.image_token_index ?? 262_144, "image_token_index");

  return {
    mark: { token: begin, text: ["\n\n", begin, image, end, "\n\n"] },
    cut(width, height, index = 0) {
      const seen = size ?? { width, height };
      checkResized({ width, height }, seen, index);
      const isSame = seen.width === width && seen.height === height;
      const window = { left: 0, top: 0, ...seen };
      return { resizes: [], tiles: [{ resize: isSame ? null : seen, filter, window, ...scaling }] };
    },
    placeholder: () => [rows],
    within(limit) {
      requireLimits(limit, []);
      return this;
    },
  };
}
