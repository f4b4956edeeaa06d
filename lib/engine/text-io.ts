import { type JsonObject, type ModelFolder, readModelJson } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import { type ChatTemplate, loadChatTemplate } from "../text/chat-template.js";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.js";
import type { ImagePreprocessor } from "../vision/image-preprocessor.js";
import { loadImagePreprocessor } from "../vision/preprocess.js";

/** Everything of a model folder that turns messages into rows and tokens into text. */
export interface TextIo {
  tokenizer: Tokenizer;
  template: ChatTemplate;
  preprocessor: ImagePreprocessor;
  /** Tokens that end an answer. */
  stopIds: Int32Array;
  /** Default limit of an answer. */
  maxTokens: number;
}

/** Reads tokenizer, chat template, image and generation settings of a model folder. */
export async function loadTextIo(folder: ModelFolder): Promise<TextIo> {
  const [tokenizer, template, preprocessor, generation, config] = await Promise.all([
    loadTokenizer(folder),
    loadChatTemplate(folder),
    loadImagePreprocessor(folder),
    readModelJson(folder, "generation_config.json"),
    readModelJson(folder, "config.json"),
  ]);
  const limit = generation?.max_new_tokens;
  return {
    tokenizer,
    template,
    preprocessor,
    stopIds: stopIds(tokenizer, generation ?? {}, config ?? {}),
    maxTokens: typeof limit === "number" && Number.isSafeInteger(limit) && limit > 0 ? limit : 256,
  };
}

/** As transformers: those of generation_config.json, else of config.json, else the tokenizer's end token. */
function stopIds(tokenizer: Tokenizer, generation: JsonObject, config: JsonObject): Int32Array {
  const text = isRecord(config.text_config) ? config.text_config : {};
  const end = tokenizer.eosToken === null ? undefined : tokenizer.idOf(tokenizer.eosToken);
  const ids = [generation.eos_token_id, config.eos_token_id, text.eos_token_id, end].find((id) => id != null) ?? [];
  return Int32Array.from([ids].flat().filter((id) => typeof id === "number"));
}
