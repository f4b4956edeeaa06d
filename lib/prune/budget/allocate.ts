import type { KeepBudget } from "../step.js";

/** Rows of one image that a budget keeps: native/prune/allocate.cc, which decides, in TypeScript, which predicts. */
export function allocate({ ratio, count, of, rounding }: KeepBudget, rows: number, decoderRows: number): number {
  if (rows === 0) return 0;
  const exact = (ratio ?? 0) * (of === "decoder" ? decoderRows : rows);
  const keep = count ?? (rounding === "trunc" ? Math.trunc(exact) : halfEven(exact));
  return Math.min(Math.max(keep, 1), rows);
}

function halfEven(x: number): number {
  const below = Math.floor(x);
  return x - below === 0.5 ? below + (below % 2) : Math.round(x);
}
