import type { DescribedModel, JsonObject } from "../hub/model-file.js";
import type { NativeGguf } from "../native/binding.js";
import { ggufFamilies } from "./registry.js";
import { stopIds, tokenizerConfig, tokenizerJson } from "./tokenizer-json.js";

/** The files that a Hugging Face folder of the same model would have, made of the metadata of its GGUF files. */
export function describeGguf(path: string, gguf: NativeGguf): DescribedModel {
  const { config, decoder } = gguf;
  const family = ggufFamilies.get(String(config.model_type));
  const files = new Map<string, JsonObject | string>([
    ["config.json", config],
    ["tokenizer.json", tokenizerJson(decoder, Number(config.image_token_id))],
    ["tokenizer_config.json", tokenizerConfig(decoder)],
    ["generation_config.json", { eos_token_id: stopIds(decoder, family?.turnEnds) }],
  ]);
  const stated = decoder["tokenizer.chat_template"];
  const own = typeof stated === "string" ? stated : undefined;
  // A template for words alone, as decoders bring it along, leaves the images out.
  const template = own?.includes("image") ? own : (family?.chatTemplate?.(own) ?? own);
  if (template !== undefined) files.set("chat_template.jinja", template);
  if (family !== undefined) {
    files.set("preprocessor_config.json", family.preprocessor(gguf));
    files.set("processor_config.json", family.processor(gguf));
  }
  return { path, files };
}
