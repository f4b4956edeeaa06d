import { createClipPreprocessor } from "./clip.js";
import { createIdefics3Preprocessor } from "./idefics3.js";
import type { ImageConfig, ImagePreprocessor } from "./image-preprocessor.js";
import { createInternVlPreprocessor } from "./internvl.js";
import { createLlavaNextPreprocessor } from "./llava-next.js";

/** Image preprocessing by the `model_type` of config.json. One line per family. */
export const imageFamilies: ReadonlyMap<string, (config: ImageConfig) => ImagePreprocessor> = new Map([
  ["idefics3", createIdefics3Preprocessor],
  ["internvl", createInternVlPreprocessor],
  ["llava", createClipPreprocessor],
  ["llava_next", createLlavaNextPreprocessor],
  ["llava_onevision", createLlavaNextPreprocessor],
  ["smolvlm", createIdefics3Preprocessor],
]);
