import { randomInt } from "node:crypto";
import { FoveaError } from "../errors.js";
import type { NativeSampling } from "../native/binding.js";
import type { Plan } from "../prune/plan.js";
import type { PresetName } from "../prune/presets.js";
import type { Message } from "../text/messages.js";
import type { ImageInput } from "../vision/image-input.js";
import type { RowFunction } from "./custom-rows.js";

/** What to answer, and how. */
export interface GenerateOptions {
  /** The conversation, OpenAI style. */
  messages: Message[];
  /** Images that no message part names: they go before the text of the last user message. */
  images?: ImageInput[];
  /** Rows to drop and sub-layers to skip, or the name of a preset. */
  plan?: Plan | PresetName;
  /** Functions that stages `custom` of the plan ask, by name. */
  custom?: Record<string, RowFunction>;
  /** Stops within one layer or token; the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Default: `max_new_tokens` of the model's generation_config.json, else 256. */
  maxTokens?: number;
  /** 0, the default, takes the likeliest token. */
  temperature?: number;
  /** Draw among the k likeliest tokens; 0, the default: all. */
  topK?: number;
  /** Draw among the likeliest tokens that together reach this probability; default 1. */
  topP?: number;
  /** Leave out tokens below this share of the likeliest one's probability; default 0. */
  minP?: number;
  /** Above 1, tokens that occurred become less likely; default 1. */
  repetitionPenalty?: number;
  /** Start of the random numbers, an integer; default: random. */
  seed?: number;
  /** Texts that end the answer; they are not part of it. */
  stop?: string | string[];
  /** Report log-probabilities, with so many alternatives per token. */
  logprobs?: number;
  /** Use what earlier requests left, rows of images and the KV of equal beginnings, and leave both; default true. */
  cache?: boolean;
  /** Report which rows every stage kept. */
  keepLists?: boolean;
}

const maxStops = 64;

/** The sampling options with defaults; the addon checks their ranges. */
export function readSampling(options: GenerateOptions): NativeSampling {
  return {
    temperature: options.temperature ?? 0,
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    repetitionPenalty: options.repetitionPenalty ?? 1,
    seed: options.seed ?? randomInt(2 ** 47),
    logprobs: options.logprobs ?? -1,
  };
}

/** The stop strings as a list. */
export function readStops({ stop = [] }: GenerateOptions): string[] {
  const stops = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(stops) || stops.length > maxStops || !stops.every((s) => typeof s === "string" && s !== "")) {
    throw new FoveaError(
      "ERR_FOVEA_INVALID_ARGUMENT",
      `stop must be a non-empty string or a list of at most ${maxStops} of them.`,
    );
  }
  return stops;
}

/** The token limit, which must be a positive integer. */
export function readMaxTokens({ maxTokens }: GenerateOptions, fallback: number): number {
  const limit = maxTokens ?? fallback;
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `maxTokens is ${limit}; expected an integer of at least 1.`);
  }
  return limit;
}
