import type { NativeEnd, NativeToken } from "../native/binding.js";
import type { LoweredPlan } from "../prune/plan.js";
import { Detokenizer } from "../text/detokenizer.js";
import { StopMatcher } from "../text/stop.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { draftUsage, exitUsage } from "./depth-usage.js";
import type { Reply, Timings, Token } from "./reply.js";

/** The text of an answer as it grows: tokens in, certain text out, ended by a stop string. */
export class Transcript {
  /** A stop string was found: the text is complete, later tokens do not count. */
  isStopped = false;
  readonly #tokenizer: Tokenizer;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;
  readonly #tokens: Token[] = [];
  #text = "";
  #reported = 0;

  constructor(tokenizer: Tokenizer, stops: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = new StopMatcher(stops);
  }

  /** Takes tokens; returns the text they make certain, with every token not yet reported, or null if there is none. */
  add(tokens: readonly NativeToken[]): { text: string; tokens: Token[] } | null {
    let text = "";
    for (const token of tokens) {
      if (this.isStopped) break;
      this.#tokens.push(this.#describe(token));
      const result = this.#stops.push(this.#detokenizer.push(token.id));
      text += result.text;
      this.isStopped = result.stopped !== undefined;
    }
    return this.#delta(text);
  }

  /** The stream has ended: what was withheld is text after all. */
  finish(): { text: string; tokens: Token[] } | null {
    if (this.isStopped) return null;
    const { text, stopped } = this.#stops.push(this.#detokenizer.flush());
    this.isStopped = stopped !== undefined;
    return this.#delta(this.isStopped ? text : text + this.#stops.flush());
  }

  /** The reply, once the engine has reported the end. */
  reply(end: NativeEnd, plan: LoweredPlan, times: Pick<Timings, "preprocess" | "total">): Reply {
    return {
      text: this.#text,
      tokens: this.#tokens,
      finishReason: this.isStopped || end.finishReason !== "length" ? "stop" : "length",
      usage: {
        promptRows: end.promptRows,
        visualRows: end.visualRows,
        cachedImages: end.cachedImages,
        cachedRows: end.cachedRows,
        generatedTokens: this.#tokens.length,
        stages: end.stages,
        skipped: plan.skip,
        kvRows: [...end.kvRows],
        ...(end.draft && { draft: draftUsage(end.draft, plan) }),
        ...(end.exitTokens && { exit: exitUsage([...end.exitTokens]) }),
      },
      timings: { ...times, ...end.timings },
    };
  }

  #delta(text: string): { text: string; tokens: Token[] } | null {
    if (text === "") return null;
    this.#text += text;
    const tokens = this.#tokens.slice(this.#reported);
    this.#reported = this.#tokens.length;
    return { text, tokens };
  }

  #describe({ id, logprob, top }: NativeToken): Token {
    const text = (of: number) => this.#tokenizer.decode([of], { skipSpecialTokens: false });
    return {
      id,
      text: text(id),
      ...(logprob !== undefined && { logprob }),
      ...(top !== undefined && { top: top.map((other) => ({ ...other, text: text(other.id) })) }),
    };
  }
}
