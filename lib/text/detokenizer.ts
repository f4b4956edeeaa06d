import type { Tokenizer } from "./tokenizer.js";

/**
 * Turns a stream of token ids into a stream of text. Every piece is final: no half code points, nothing that a later
 * token would change. The pieces add up to `tokenizer.decode` of all ids.
 */
export class Detokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #skipSpecialTokens: boolean;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  #isFirst = true;
  /** How often the leading strip may still remove its content. */
  #stripsLeft: number;

  constructor(tokenizer: Tokenizer, options: { skipSpecialTokens?: boolean } = {}) {
    this.#tokenizer = tokenizer;
    this.#skipSpecialTokens = options.skipSpecialTokens ?? true;
    this.#stripsLeft = tokenizer.pieces.strip.count;
  }

  /** Text that is certain now that `id` is known; often empty. */
  push(id: number): string {
    if (this.#skipSpecialTokens && this.#tokenizer.specialIds.has(id)) return "";
    const bytes = this.#tokenizer.pieces.bytes(this.#tokenizer.tokenOf(id), this.#isFirst);
    this.#isFirst = false;
    return this.#strip(this.#utf8.decode(bytes, { stream: true }));
  }

  /** What is left at the end: U+FFFD if the last code point is incomplete. */
  flush(): string {
    return this.#strip(this.#utf8.decode());
  }

  /** Removes what decoders strip from the beginning of a text. */
  #strip(text: string): string {
    const { content } = this.#tokenizer.pieces.strip;
    while (this.#stripsLeft > 0 && text !== "") {
      if (!text.startsWith(content)) {
        this.#stripsLeft = 0;
        break;
      }
      text = text.slice(content.length);
      this.#stripsLeft--;
    }
    return text;
  }
}
