import { idefics3 } from "./families/idefics3.js";
import { llava } from "./families/llava.js";
import { qwen2Vl } from "./families/qwen2-vl.js";
import type { GgufFamily } from "./gguf-family.js";

/** What GGUF files of a family say of images, by the `model_type` that native/model/gguf gives them. One line per family. */
export const ggufFamilies: ReadonlyMap<string, GgufFamily> = new Map([
  ["idefics3", idefics3],
  ["llava", llava],
  ["qwen2_5_vl", qwen2Vl],
  ["qwen2_vl", qwen2Vl],
]);
