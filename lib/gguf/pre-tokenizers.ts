// How byte-level tokenizers cut a text into words before they merge, by the name that llama.cpp gives the way
// (`tokenizer.ggml.pre`), as the "pre_tokenizer" of a tokenizer.json.
import type { JsonObject } from "../hub/model-file.js";

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };

/** Contractions, words, numbers and signs with the space before them, spaces. */
const gpt2: JsonObject = { ...byteLevel, use_regex: true };

/** The same, every digit on its own, whatever its script (the library's own step "Digits" knows 0 to 9 alone). */
const singleDigits: JsonObject = {
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex: "\\p{N}" }, behavior: "Isolated", invert: false }, gpt2],
};

/** Contractions whatever their case, a sign or space with the word behind it, at most so many digits, line breaks apart. */
function words(digits: string): JsonObject {
  const pattern = [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
    digits,
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
    "\\s*[\\r\\n]+",
    "\\s+(?!\\S)",
    "\\s+",
  ].join("|");
  return {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
      { ...byteLevel, use_regex: false },
    ],
  };
}

const llama3 = words("\\p{N}{1,3}");
const qwen2 = words("\\p{N}");

/** By `tokenizer.ggml.pre`. */
export const preTokenizers: ReadonlyMap<string, JsonObject> = new Map([
  ["gpt-2", gpt2],
  ["olmo", gpt2],
  ["granite-docling", gpt2],
  ["smollm", singleDigits],
  ["starcoder", singleDigits],
  ["refact", singleDigits],
  ["command-r", singleDigits],
  ["llama-bpe", llama3],
  ["llama3", llama3],
  ["llama-v3", llama3],
  ["lfm2", llama3],
  ["qwen2", qwen2],
  ["deepseek-r1-qwen", qwen2],
]);

/** Those whose tokenizers write a first token unless the file says otherwise, and take whole words without merging. */
export const llama3Names: ReadonlySet<string> = new Set(["llama-bpe", "llama3", "llama-v3", "lfm2"]);
