/** True under a sanitizer (scripts/test-sanitized.sh), where neither time nor memory is that of a real run. */
export const isSanitized = /lib[at]san/.test(process.env.LD_PRELOAD ?? "");

/** Of many cases that are alike every nth under a sanitizer, where each takes some twenty times as long; else all. */
export function sampled<Case>(cases: readonly Case[], n: number): Case[] {
  return cases.filter((_, i) => !isSanitized || i % n === 0);
}
