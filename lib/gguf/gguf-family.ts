import type { JsonObject } from "../hub/model-file.js";
import type { NativeGguf } from "../native/binding.js";

/** How a family's GGUF files say what a Hugging Face folder says in other files. */
export interface GgufFamily {
  /** What preprocessor_config.json would hold. */
  preprocessor(gguf: NativeGguf): JsonObject;
  /** What processor_config.json would hold. */
  processor(gguf: NativeGguf): JsonObject;
  /**
   * For files whose own template, if they have one, is of words alone.
   *
   * @throws FoveaError where that does not tell how the model wants its images.
   */
  chatTemplate?(own: string | undefined): string;
  /** Tokens that end a turn; files need not say so. */
  turnEnds?: readonly string[];
}
