import type { CliContext } from "./context.js";

/** An error as a reader wants it: what happened and its code, the stack only when asked for. */
export function formatError(error: unknown, { colours, isDebug }: Pick<CliContext, "colours" | "isDebug">): string {
  if (!(error instanceof Error)) return `${colours.red("error")} ${String(error)}\n`;
  const code = "code" in error && typeof error.code === "string" ? ` ${colours.dim(`[${error.code}]`)}` : "";
  const line = `${colours.red("error")} ${error.message}${code}\n`;
  if (!isDebug) return line;
  const cause = error.cause instanceof Error ? `caused by ${error.cause.stack}\n` : "";
  return `${line}${error.stack}\n${cause}`;
}
