import { Tokenizer as JsonTokenizer } from "@huggingface/tokenizers";
import { FoveaError } from "../errors.js";
import { type JsonObject, type ModelFolder, pathOf, readModelJson } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import { createTokenPieces, type TokenPieces } from "./token-pieces.js";

/** The largest tokenizer.json in use (256 k tokens) has about 35 MiB. */
const maxTokenizerBytes = 128 * 1024 * 1024;

/** Kinds of "model" in tokenizer.json whose decoders we know; old files leave the kind to be guessed. */
const modelTypes = ["BPE", "Unigram"];

/** Options of `Tokenizer.encode`. */
export interface EncodeOptions {
  /** Add what the model expects around a text, as in a leading `<s>`. Default true. */
  addSpecialTokens?: boolean;
  /** Refuse texts that certainly have more tokens, before spending time on them. */
  maxTokens?: number;
}

/** Text to token ids and back, by the rules of a tokenizer.json. */
export class Tokenizer {
  /** Ids run from 0 to vocabSize - 1. */
  readonly vocabSize: number;
  /** Ids that never are part of the visible text. */
  readonly specialIds: ReadonlySet<number>;
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  readonly padToken: string | null;
  /** @internal */
  readonly pieces: TokenPieces;
  readonly #inner: JsonTokenizer;
  readonly #longestToken: number;

  /** Use `loadTokenizer`. */
  constructor(inner: JsonTokenizer, json: JsonObject, config: JsonObject) {
    this.#inner = inner;
    const added = [...inner.get_added_tokens_decoder().values()];
    this.specialIds = new Set(added.filter((token) => token.special).map((token) => token.id));
    this.pieces = createTokenPieces(json.decoder, new Set(added.map((token) => token.content)));
    let longest = 0;
    let vocabSize = 0;
    for (const [token, id] of inner.get_vocab()) {
      longest = Math.max(longest, token?.length ?? 0);
      vocabSize = Math.max(vocabSize, id + 1);
    }
    this.#longestToken = longest;
    this.vocabSize = vocabSize;
    this.bosToken = tokenText(config.bos_token);
    this.eosToken = tokenText(config.eos_token);
    this.padToken = tokenText(config.pad_token);
  }

  /** Token ids of a text. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const { addSpecialTokens = true, maxTokens = Number.POSITIVE_INFINITY } = options;
    if (text.length > maxTokens * this.#longestToken) {
      throw new FoveaError(
        "ERR_FOVEA_CONTEXT_LENGTH",
        `A text of ${text.length} characters has more than the ${maxTokens} tokens that fit. Shorten it.`,
      );
    }
    const ids: number[] = this.#inner.encode(text, { add_special_tokens: addSpecialTokens }).ids;
    if (ids.some((id) => !Number.isInteger(id))) {
      throw new FoveaError(
        "ERR_FOVEA_INVALID_ARGUMENT",
        "The text holds characters that this model's vocabulary cannot express, and it has no token for the unknown.",
      );
    }
    return ids;
  }

  /** Text of token ids, special tokens left out unless asked for. */
  decode(ids: Iterable<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const skip = options.skipSpecialTokens ?? true;
    const bytes: Uint8Array[] = [];
    for (const id of ids) {
      if (!(skip && this.specialIds.has(id))) bytes.push(this.pieces.bytes(this.tokenOf(id), bytes.length === 0));
    }
    const text = Buffer.concat(bytes).toString("utf8");
    const { content, count } = this.pieces.strip;
    let start = 0;
    for (let i = 0; i < count && text.startsWith(content, start); i++) start += content.length;
    return text.slice(start);
  }

  /** The id of a token by its exact text, or undefined. */
  idOf(token: string): number | undefined {
    return this.#inner.token_to_id(token);
  }

  /** The token of an id; ids beyond the vocabulary are an error. */
  tokenOf(id: number): string {
    const token = this.#inner.id_to_token(id);
    if (token !== undefined) return token;
    // Heads are often padded beyond the vocabulary; such ids have no text.
    if (Number.isInteger(id) && id >= 0) return "";
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${id} is not a token id.`);
  }
}

/** Reads tokenizer.json and tokenizer_config.json of a model folder. */
export async function loadTokenizer(folder: ModelFolder): Promise<Tokenizer> {
  const json = await readModelJson(folder, "tokenizer.json", maxTokenizerBytes);
  if (json === null) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_NOT_FOUND",
      `No tokenizer.json in ${pathOf(folder)}. Pass a complete Hugging Face folder; models that only have tokenizer.model ` +
        "must be converted with transformers' AutoTokenizer.save_pretrained first.",
    );
  }
  const config = (await readModelJson(folder, "tokenizer_config.json", maxTokenizerBytes)) ?? {};
  checkShape(json, pathOf(folder));
  try {
    return new Tokenizer(new JsonTokenizer(json, config), json, config);
  } catch (cause) {
    if (FoveaError.isInstance(cause)) throw cause;
    throw damaged(pathOf(folder), (cause as Error).message, cause);
  }
}

/** What the tokenizer library takes for granted. */
function checkShape(json: JsonObject, folder: string): void {
  if (!isRecord(json.model)) throw damaged(folder, '"model" is missing');
  const { type, vocab } = json.model;
  if (type !== undefined && !modelTypes.includes(String(type))) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `tokenizer.json in ${folder}: model type ${JSON.stringify(type)} is not supported; expected ${modelTypes.join(" or ")}.`,
    );
  }
  if (!isRecord(vocab) && !Array.isArray(vocab)) throw damaged(folder, '"model.vocab" is missing');
  const ids = isRecord(vocab) ? Object.values(vocab) : [];
  const added = json.added_tokens;
  if (!Array.isArray(added)) throw damaged(folder, '"added_tokens" must be a list');
  for (const token of added) {
    if (!isRecord(token) || typeof token.content !== "string") throw damaged(folder, "an added token has no content");
    ids.push(token.id);
  }
  // Ids become array indices: one absurd id would allocate gigabytes.
  const limit = 4 * 1024 * 1024;
  const wrong = ids.find((id) => !Number.isInteger(id) || (id as number) < 0 || (id as number) >= limit);
  if (wrong !== undefined) throw damaged(folder, `token id ${JSON.stringify(wrong)} is not in 0..${limit - 1}`);
}

function damaged(folder: string, reason: string, cause?: unknown): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_MODEL_FORMAT",
    `tokenizer.json in ${folder} cannot be used: ${reason}. Download the file again.`,
    { cause },
  );
}

/** Special tokens are written as a string or as an object with "content". */
function tokenText(value: unknown): string | null {
  if (typeof value === "string") return value;
  return isRecord(value) && typeof value.content === "string" ? value.content : null;
}
