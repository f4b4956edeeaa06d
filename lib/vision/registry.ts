import { createClipPreprocessor } from "./clip.js";
import type { ImageConfig, ImagePreprocessor } from "./image-preprocessor.js";

/** Image preprocessing by the `model_type` of config.json. One line per family. */
export const imageFamilies: ReadonlyMap<string, (config: ImageConfig) => ImagePreprocessor> = new Map([
  ["llava", createClipPreprocessor],
]);
