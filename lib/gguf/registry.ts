import { gemma3 } from "./families/gemma3.js";
import { idefics3 } from "./families/idefics3.js";
import { internvl } from "./families/internvl.js";
import { lfm2Vl } from "./families/lfm2-vl.js";
import { llava, llavaNext } from "./families/llava.js";
import { qwen2Vl, qwen3Vl } from "./families/qwen-vl.js";
import type { GgufFamily } from "./gguf-family.js";

/** What GGUF files of a family say of images, by the `model_type` that native/model/gguf gives them. One line per family. */
export const ggufFamilies: ReadonlyMap<string, GgufFamily> = new Map([
  ["gemma3", gemma3],
  ["idefics3", idefics3],
  ["internvl", internvl],
  ["lfm2_vl", lfm2Vl],
  ["llava", llava],
  ["llava_next", llavaNext],
  ["qwen2_5_vl", qwen2Vl],
  ["qwen2_vl", qwen2Vl],
  ["qwen3_vl", qwen3Vl],
]);
