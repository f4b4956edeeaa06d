/** Equal but for white space around it. */
export function exactMatch(reply: string, answer: string): boolean {
  return reply.trim() === answer.trim();
}

/**
 * Equal but for case, white space around it and full stops at the end, which is how LLaVA's scripts prepare a reply for
 * GQA's own evaluation.
 */
export function foldedMatch(reply: string, answer: string): boolean {
  return fold(reply) === fold(answer);
}

function fold(text: string): string {
  return text.trim().replace(/\.+$/, "").toLowerCase();
}
