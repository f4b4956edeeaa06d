import { createClipPreprocessor } from "./clip.js";
import { createGemma3Preprocessor } from "./gemma3.js";
import { createIdefics3Preprocessor } from "./idefics3.js";
import type { ImageConfig, ImagePreprocessor } from "./image-preprocessor.js";
import { createInternVlPreprocessor } from "./internvl.js";
import { createLfm2VlPreprocessor } from "./lfm2-vl.js";
import { createLlavaNextPreprocessor } from "./llava-next.js";
import { createPaliGemmaPreprocessor } from "./paligemma.js";
import { createQwen2VlPreprocessor } from "./qwen2-vl.js";

/** Image preprocessing by the `model_type` of config.json. One line per family. */
export const imageFamilies: ReadonlyMap<string, (config: ImageConfig) => ImagePreprocessor> = new Map([
  ["gemma3", createGemma3Preprocessor],
  ["idefics3", createIdefics3Preprocessor],
  ["internvl", createInternVlPreprocessor],
  ["lfm2_vl", createLfm2VlPreprocessor],
  ["llava", createClipPreprocessor],
  ["llava_next", createLlavaNextPreprocessor],
  ["llava_onevision", createLlavaNextPreprocessor],
  ["paligemma", createPaliGemmaPreprocessor],
  ["qwen2_5_vl", createQwen2VlPreprocessor],
  ["qwen2_vl", createQwen2VlPreprocessor],
  ["qwen3_vl", createQwen2VlPreprocessor],
  ["smolvlm", createIdefics3Preprocessor],
]);
