import { fileURLToPath } from "node:url";
import { FoveaError, type GenerateOptions, type Message, type Reply } from "../../lib/index.js";

/** The embedded model's folder. */
export const miniModel = fileURLToPath(new URL("../../model/fovea-mini", import.meta.url));

/** A picture of the held-out set. */
export function picture(n: number): string {
  const name = String(n).padStart(3, "0");
  return fileURLToPath(new URL(`../../model/eval/images/${name}.webp`, import.meta.url));
}

/** One user message with pictures before the question. */
export function ask(question: string, ...images: (number | string)[]): Message[] {
  const parts = images.map((image) => ({
    type: "image" as const,
    image: typeof image === "number" ? picture(image) : image,
  }));
  return [{ role: "user", content: [...parts, { type: "text", text: question }] }];
}

/** Draws among all tokens almost evenly, so that an answer hardly ever ends before `maxTokens`. */
export function longAnswer(maxTokens: number, seed = 1): Pick<GenerateOptions, "temperature" | "seed" | "maxTokens"> {
  return { temperature: 100, seed, maxTokens };
}

/** What must not change between two runs of the same request; what of it was still known may. */
export function content({
  text,
  tokens,
  finishReason,
  usage: { cachedImages: _, cachedRows: __, ...usage },
}: Reply): unknown {
  return { text, tokens, finishReason, usage };
}

/** What a promise rejects with; an error if it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)?.slice(0, 200)}`);
    },
    (reason) => reason,
  );
}

/** Code and message of the FoveaError that a promise rejects with; anything else fails the test. */
export async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const reason = await rejection(promise);
  if (!(reason instanceof FoveaError)) throw reason;
  return { code: reason.code, message: reason.message };
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
