import { FoveaError } from "../errors.js";
import type { JsonObject } from "../hub/model-file.js";
import { llama3Names, preTokenizers } from "./pre-tokenizers.js";
import { spmMerges } from "./spm-merges.js";
import { tokenTypes } from "./token-types.js";

/** The metadata of a decoder's GGUF file, as a tokenizer needs it. */
interface Vocabulary {
  tokens: string[];
  types: number[];
  /** By text; of a text that occurs twice the first id. */
  ids: Map<string, number>;
}

const key = (name: string) => `tokenizer.ggml.${name}`;

/**
 * What tokenizer.json would hold.
 *
 * @param imageToken the id that stands for an image: beyond the vocabulary where that has no "<image>".
 */
export function tokenizerJson(metadata: JsonObject, imageToken: number): JsonObject {
  const vocabulary = readVocabulary(metadata);
  const kind = metadata[key("model")];
  const parts =
    kind === "gpt2" ? byteLevelParts(metadata, vocabulary) : kind === "llama" ? spmParts(metadata, vocabulary) : null;
  if (parts === null) {
    throw unsupported(`${key("model")} is ${JSON.stringify(kind)}; expected "gpt2" or "llama".`);
  }
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(vocabulary, imageToken),
    post_processor: postProcessor(metadata, vocabulary),
    ...parts,
  };
}

/** What of tokenizer_config.json is read: the texts of special tokens. */
export function tokenizerConfig(metadata: JsonObject): JsonObject {
  const { tokens } = readVocabulary(metadata);
  const names = { bos_token: "bos", eos_token: "eos", unk_token: "unknown", pad_token: "padding" };
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, of]) => {
      const id = idField(metadata, `${of}_token_id`, tokens.length);
      return id === null ? [] : [[name, tokens[id]]];
    }),
  );
}

/**
 * Tokens that end an answer: the end of the text, of a turn, of a message.
 *
 * @param turnEnds further ones by their texts, so far as the vocabulary has them.
 */
export function stopIds(metadata: JsonObject, turnEnds: readonly string[] = []): number[] {
  const { tokens, ids } = readVocabulary(metadata);
  const stated = ["eos", "eot", "eom"].map((of) => idField(metadata, `${of}_token_id`, tokens.length));
  const known = turnEnds.map((text) => ids.get(text) ?? null);
  return [...new Set([...stated, ...known].filter((id) => id !== null))];
}

/** GPT-2's way: bytes as printable characters, merges in order. */
function byteLevelParts(metadata: JsonObject, { ids }: Vocabulary): JsonObject {
  // gguf-py leaves out lists of nothing.
  const merges = (metadata[key("merges")] === undefined ? [] : list(metadata, "merges", "string")) as string[];
  const pre = metadata[key("pre")];
  const preTokenizer = preTokenizers.get(String(pre));
  if (preTokenizer === undefined) {
    throw unsupported(
      `${key("pre")} is ${JSON.stringify(pre) ?? "missing"}; expected one of ${[...preTokenizers.keys()].join(", ")}. ` +
        "Files that lack it must be converted anew.",
    );
  }
  return {
    normalizer: null,
    pre_tokenizer: preTokenizer,
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab: toObject(ids), merges, ignore_merges: llama3Names.has(String(pre)) },
  };
}

/** SentencePiece's way, as Llama has it: spaces as "▁", one before the text, and bytes for what no piece expresses. */
function spmParts(metadata: JsonObject, { tokens, types, ids }: Vocabulary): JsonObject {
  const scores = list(metadata, "scores", "number") as number[];
  if (scores.length !== tokens.length) {
    throw damaged(`${key("scores")} has ${scores.length} entries for ${tokens.length} tokens`);
  }
  const isPiece = (id: number) => types[id] === tokenTypes.normal || types[id] === tokenTypes.userDefined;
  const pieces = new Map([...ids].filter(([, id]) => isPiece(id)));
  const hasPrefix = flag(metadata, "add_space_prefix", true);
  const unknown = idField(metadata, "unknown_token_id", tokens.length);
  const space = { type: "Replace", pattern: { String: " " }, content: "▁" };
  return {
    normalizer: {
      type: "Sequence",
      normalizers: hasPrefix ? [{ type: "Prepend", prepend: "▁" }, space] : [space],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(hasPrefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      vocab: toObject(ids),
      merges: spmMerges(pieces, ids, scores),
      unk_token: unknown === null ? null : tokens[unknown],
      fuse_unk: true,
      byte_fallback: types.includes(tokenTypes.byte),
    },
  };
}

function addedTokens({ tokens, types }: Vocabulary, imageToken: number): JsonObject[] {
  const added: JsonObject[] = [];
  const add = (id: number, content: string, special: boolean) =>
    added.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });
  for (const [id, type] of types.entries()) {
    if (type === tokenTypes.control || type === tokenTypes.unknown || id === imageToken) {
      add(id, tokens[id] as string, true);
    } else if (type === tokenTypes.userDefined) {
      add(id, tokens[id] as string, false);
    }
  }
  if (imageToken >= tokens.length) add(imageToken, "<image>", true);
  return added;
}

/** Writes the first and the last token around a text, where the file wants that. */
function postProcessor(metadata: JsonObject, { tokens }: Vocabulary): JsonObject | null {
  const isSpm = metadata[key("model")] === "llama";
  const hasBos = flag(metadata, "add_bos_token", isSpm || llama3Names.has(String(metadata[key("pre")])));
  const special = (of: string) => {
    const id = idField(metadata, `${of}_token_id`, tokens.length);
    return id === null ? [] : [{ SpecialToken: { id: tokens[id], type_id: 0 } }];
  };
  const around = (sequence: string) => [
    ...(hasBos ? special("bos") : []),
    { Sequence: { id: sequence, type_id: 0 } },
    ...(flag(metadata, "add_eos_token", false) ? special("eos") : []),
  ];
  return { type: "TemplateProcessing", single: around("A"), pair: [...around("A"), ...around("B")] };
}

function readVocabulary(metadata: JsonObject): Vocabulary {
  const tokens = list(metadata, "tokens", "string") as string[];
  const types =
    metadata[key("token_type")] === undefined
      ? tokens.map(() => tokenTypes.normal)
      : (list(metadata, "token_type", "number") as number[]);
  if (types.length !== tokens.length) {
    throw damaged(`${key("token_type")} has ${types.length} entries for ${tokens.length} tokens`);
  }
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (!ids.has(token)) ids.set(token, id);
  return { tokens, types, ids };
}

/** An object without a prototype, so that "__proto__" is a token like any other. */
function toObject(ids: ReadonlyMap<string, number>): Record<string, number> {
  const object: Record<string, number> = Object.create(null);
  for (const [token, id] of ids) object[token] = id;
  return object;
}

function list(metadata: JsonObject, name: string, type: "string" | "number"): unknown[] {
  const value = metadata[key(name)];
  if (Array.isArray(value) && value.every((item) => typeof item === type)) return value;
  throw damaged(`${key(name)} must be a list of ${type}s`);
}

function flag(metadata: JsonObject, name: string, fallback: boolean): boolean {
  const value = metadata[key(name)] ?? fallback;
  if (typeof value !== "boolean") throw damaged(`${key(name)} must be true or false`);
  return value;
}

/** The id of a token, or null where the file names none. */
function idField(metadata: JsonObject, name: string, count: number): number | null {
  const value = metadata[key(name)];
  if (value === undefined || value === 0xffffffff) return null; // the latter is -1 of 32 bits: none
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < count) return value as number;
  throw damaged(`${key(name)} is ${JSON.stringify(value)?.slice(0, 80)}, expected the id of one of ${count} tokens`);
}

function damaged(reason: string): FoveaError {
  return new FoveaError("ERR_FOVEA_MODEL_FORMAT", `The GGUF file's tokenizer cannot be used: ${reason}.`);
}

function unsupported(reason: string): FoveaError {
  return new FoveaError("ERR_FOVEA_MODEL_UNSUPPORTED", `The GGUF file's tokenizer is not supported: ${reason}`);
}
