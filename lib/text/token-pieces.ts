// What each token contributes to decoded text, as UTF-8 bytes. Decoding is then concatenation, which a stream can do
// token by token and end up with exactly the text that decoding everything at once gives.
import { FoveaError } from "../errors.js";
import type { JsonObject } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";

/** A token on its way through the decoder's steps: text, until a step turns it into bytes. */
type Piece = string | Uint8Array;
type Step = (piece: Piece, isFirst: boolean) => Piece;

/** How a tokenizer turns tokens back into text. */
export interface TokenPieces {
  /** Bytes of one token; `isFirst` for the first one of a text. */
  bytes(token: string, isFirst: boolean): Uint8Array;
  /** Removed once from the beginning of the text, at most `count` times. */
  strip: { content: string; count: number };
}

/** Reads the "decoder" entry of a tokenizer.json. `verbatim` holds added tokens, which decoders must leave alone. */
export function createTokenPieces(decoder: unknown, verbatim: ReadonlySet<string>): TokenPieces {
  const steps: Step[] = [];
  const strip = { content: " ", count: 0 };
  for (const config of flatten(decoder)) {
    if (config.type === "Strip") {
      if (config.stop) throw unsupported(config);
      strip.content = String(config.content);
      strip.count = Number(config.start);
    } else if (strip.count > 0 && config.type !== "Fuse") {
      throw unsupported(config); // a step after Strip would see text that streaming has already emitted
    } else {
      steps.push(createStep(config));
    }
  }
  const encoder = new TextEncoder();
  return {
    bytes(token, isFirst) {
      let piece: Piece = token;
      if (!verbatim.has(token)) for (const step of steps) piece = step(piece, isFirst);
      return typeof piece === "string" ? encoder.encode(piece) : piece;
    },
    strip,
  };
}

/** The decoder's steps in order: itself, or the members of a Sequence. */
function flatten(decoder: unknown): JsonObject[] {
  if (!isRecord(decoder)) throw unsupported({ type: "none" });
  if (decoder.type !== "Sequence") return [decoder];
  return (Array.isArray(decoder.decoders) ? decoder.decoders : []).flatMap(flatten);
}

function createStep(config: JsonObject): Step {
  switch (config.type) {
    case "ByteLevel":
      return onText(byteLevel);
    case "ByteFallback":
      return onText((text) =>
        /^<0x[0-9A-Fa-f]{2}>$/.test(text) ? Uint8Array.of(parseInt(text.slice(3, 5), 16)) : text,
      );
    case "Fuse":
      return (piece) => piece;
    case "Replace":
      return replace(config);
    case "Metaspace": {
      const mark = typeof config.replacement === "string" ? config.replacement : "\u2581";
      const dropsFirst = config.prepend_scheme !== "never";
      return onText((text, isFirst) => text.replaceAll(mark, isFirst && dropsFirst ? "" : " "));
    }
    default:
      throw unsupported(config);
  }
}

function onText(step: (text: string, isFirst: boolean) => Piece): Step {
  return (piece, isFirst) => (typeof piece === "string" ? step(piece, isFirst) : piece);
}

function replace(config: JsonObject): Step {
  const { pattern, content } = config;
  if (!isRecord(pattern) || typeof content !== "string" || typeof pattern.String !== "string") {
    throw unsupported(config);
  }
  const from = pattern.String;
  return onText((text) => text.replaceAll(from, () => content));
}

/** GPT-2's alphabet: one printable character for each byte. */
const byteOfCharacter = new Map<string, number>();
for (let byte = 0, unprintable = 0; byte < 256; byte++) {
  const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  byteOfCharacter.set(String.fromCharCode(isPrintable ? byte : 256 + unprintable++), byte);
}

/** A token outside the alphabet stands for itself. */
function byteLevel(text: string): Piece {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const byte = byteOfCharacter.get(text.charAt(i));
    if (byte === undefined) return text;
    bytes[i] = byte;
  }
  return bytes;
}

function unsupported(config: JsonObject): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_MODEL_UNSUPPORTED",
    `tokenizer.json: the decoder step ${JSON.stringify(config).slice(0, 200)} is not supported. Supported are ByteLevel, ` +
      "Metaspace, and sequences of Replace, ByteFallback, Fuse and a leading Strip.",
  );
}
