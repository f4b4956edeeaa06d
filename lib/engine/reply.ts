import type { NativeDraftReport, NativeStageReport } from "../native/binding.js";
import type { PlanCosts } from "../prune/budget/plan-costs.js";
import type { SolvedBudget } from "../prune/budget/solve-plan.js";
import type { LoweredPlan } from "../prune/plan.js";

/** What a stage of the plan did to each image's rows, or to the KV cache of each layer. */
export type StageReport = NativeStageReport;

/** Rows and tokens of a generation. */
export interface Usage {
  /** Rows of the prompt before anything was dropped. */
  promptRows: number;
  /** Visual rows of the prompt before anything was dropped. */
  visualRows: number;
  /** Images whose rows were still known from an earlier request, so that the vision tower did not run for them. */
  cachedImages: number;
  /**
   * Rows of the prompt, after stages before the decoder, that ran in an earlier request with the same beginning and did
   * not run again. 0 under plans with stages inside the decoder or on the KV cache: what these keep depends on the rest
   * of the prompt.
   */
  cachedRows: number;
  generatedTokens: number;
  /** Rows before and after each stage: visual rows per image, or cached rows per layer. */
  stages: StageReport[];
  /** Sub-layers that did not run. */
  skipped: LoweredPlan["skip"];
  /** Rows of the prompt that the KV cache of each decoder layer holds. */
  kvRows: number[];
  /** With a plan that drafts. */
  draft?: DraftUsage;
  /** With a plan that exits early. */
  exit?: ExitUsage;
  /** With a plan that has a budget. */
  budget?: BudgetReport;
}

/** How a budget was met. */
export interface BudgetReport extends SolvedBudget {
  /** What the prompt did cost, as if no image had come from the cache; but milliseconds are those that passed. */
  measured: PlanCosts;
}

/** What drafting did. Every verify step also yields one token that was not guessed. */
export interface DraftUsage {
  /** Forwards of the whole model. */
  verifySteps: number;
  /** Tokens guessed. */
  drafted: number;
  /** Guesses that were right. */
  accepted: number;
  /** accepted / drafted; 0 when nothing was guessed. */
  acceptance: number;
  /** What guesses left out at the end, the plan's own skips included; with a search, the best set found. */
  skipped: NativeDraftReport["skipped"];
  /** With a search: sets proposed, and the share of its tokens that the best one guesses. */
  search?: { proposals: number; score: number };
}

/** Where decoded tokens stopped. */
export interface ExitUsage {
  /** Tokens that stopped after each decoder layer; the first token of a reply, which prefill yields, is not counted. */
  tokens: number[];
  /** Mean 0-based layer after which they stopped; the last layer's when nothing was decoded. */
  meanLayer: number;
}

/** Milliseconds of a request. */
export interface Timings {
  /** Decoding images, resizing them, tokenising. */
  preprocess: number;
  /** Waiting for the engine thread. */
  queue: number;
  /** Vision tower and projector. */
  encode: number;
  /** The prompt through the decoder, up to the first token. */
  prefill: number;
  /** Of prefill: choosing which rows stay. */
  select: number;
  /** All further tokens. */
  decode: number;
  /** From the call to the reply. */
  total: number;
}

/** One generated token. */
export interface Token {
  id: number;
  /** The token's own text; halves of a code point show as U+FFFD. */
  text: string;
  /** Natural logarithm of its probability before temperature and filters; with `logprobs`. */
  logprob?: number;
  /** The likeliest tokens in its place, likeliest first; with `logprobs` above 0. */
  top?: { id: number; text: string; logprob: number }[];
}

/** A finished generation. */
export interface Reply {
  text: string;
  tokens: Token[];
  /** `stop`: an end token or a stop string; `length`: maxTokens or the context's end. */
  finishReason: "stop" | "length";
  usage: Usage;
  timings: Timings;
}

/** What `Model.stream` yields: pieces of text, then one end. */
export type StreamEvent =
  | { type: "text-delta"; text: string; tokens: Token[] }
  | { type: "generation-end"; reply: Reply };
