import type { GenerateOptions } from "../engine/generate-options.js";
import type { Model } from "../engine/model.js";
import type { Reply } from "../engine/reply.js";
import { meanVisualRows, prefillFlops } from "../eval/flops.js";
import { median } from "../eval/statistics.js";
import type { Plan } from "../prune/plan.js";

/** What to measure. */
export interface PhasesOptions {
  /** Width and height of made-up pictures, one per prompt. */
  sizes: [width: number, height: number][];
  /** Plans by name. */
  plans: { name: string; plan: Plan }[];
  /** The question. */
  prompt: string;
  /** Tokens generated, at most. */
  tokens: number;
  /** Answers that count, of every size and plan. */
  repetitions: number;
  /** Answers before them that do not. */
  warmUp: number;
  signal?: AbortSignal;
  /** After every answer. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** The middle and the ends of some measurements, in milliseconds. */
export interface Spread {
  median: number;
  low: number;
  high: number;
}

/** One size of picture under one plan. */
export interface PhasesCell {
  width: number;
  height: number;
  plan: string;
  promptRows: number;
  visualRows: number;
  /** Visual rows of a decoder layer, mean over the layers. */
  meanRows: number;
  /** Of the prefill, a multiplication and an addition counted apart. */
  flops: number;
  /** Tower and projector. */
  encode: Spread;
  /** The prompt through the decoder, without choosing. */
  prefill: Spread;
  /** Choosing rows. */
  select: Spread;
  /** Each token after the first; 0 if no answer had a second one. */
  decode: Spread;
  /** Encode, prefill and choosing. */
  firstToken: Spread;
}

/**
 * Milliseconds of every phase of an answer, nothing cached. Sizes and plans take turns within a repetition, so that
 * whatever else the machine does falls on all alike.
 *
 * @throws FoveaError, or the signal's reason when it was aborted.
 */
export async function measurePhases(
  model: Pick<Model, "info" | "stream">,
  { sizes, plans, prompt, tokens, repetitions, warmUp, signal, onProgress }: PhasesOptions,
): Promise<PhasesCell[]> {
  const cells = sizes.flatMap(([width, height]) => {
    const images = [{ width, height, data: noise(width, height) }];
    return plans.map(({ name, plan }) => ({ width, height, images, name, plan, replies: [] as Reply[] }));
  });
  const total = cells.length * (warmUp + repetitions);
  let done = 0;
  for (let repetition = -warmUp; repetition < repetitions; repetition++) {
    for (const { images, plan, replies } of cells) {
      const messages: GenerateOptions["messages"] = [{ role: "user", content: prompt }];
      const request = { messages, images, plan, maxTokens: tokens, cache: false, ...(signal && { signal }) };
      const reply = await lastReply(model, request);
      if (repetition >= 0) replies.push(reply);
      onProgress?.({ done: ++done, total });
    }
  }
  return cells.map(({ width, height, name, replies }) => {
    const spreadOf = (read: (reply: Reply) => number) => spread(replies.map(read));
    const { usage } = replies[0] as Reply;
    return {
      width,
      height,
      plan: name,
      promptRows: usage.promptRows,
      visualRows: usage.visualRows,
      meanRows: meanVisualRows(usage, model.info.nLayers),
      flops: prefillFlops(usage, model.info).flops,
      encode: spreadOf(({ timings }) => timings.encode),
      prefill: spreadOf(({ timings }) => timings.prefill - timings.select),
      select: spreadOf(({ timings }) => timings.select),
      decode: spreadOf(({ timings, usage }) => timings.decode / Math.max(1, usage.generatedTokens - 1)),
      firstToken: spreadOf(({ timings }) => timings.encode + timings.prefill),
    };
  });
}

async function lastReply(model: Pick<Model, "stream">, request: GenerateOptions): Promise<Reply> {
  for await (const event of model.stream(request)) if (event.type === "generation-end") return event.reply;
  throw new Error("The stream ended without a reply.");
}

function spread(values: number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** A picture that looks like nothing, the same every time. */
function noise(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: 3 * width * height }, (_, i) => (Math.imul(i, 2_654_435_761) >>> 24) ^ (i >> 6));
}
