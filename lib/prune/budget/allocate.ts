import type { KeepBudget } from "../step.js";

/** Rows of one image that a budget keeps: native/prune/allocate.cc, which decides, in TypeScript, which predicts. */
export function allocate(
  { ratio, count, of, rounding, share = 1 }: KeepBudget,
  rows: number,
  decoderRows: number,
): number {
  if (rows === 0) return 0;
  const keep = count ?? roundings[rounding](ratio as number, of === "decoder" ? decoderRows : rows);
  return Math.trunc(share * Math.min(Math.max(keep, 1), rows));
}

const roundings: Record<KeepBudget["rounding"], (ratio: number, rows: number) => number> = {
  trunc: (ratio, rows) => Math.trunc(ratio * rows),
  "half-even": (ratio, rows) => halfEven(ratio * rows),
  "drop-half-even": (ratio, rows) => rows - halfEven((1 - ratio) * rows),
  "half-up": (ratio, rows) => Math.round(ratio * rows),
  ceil: (ratio, rows) => Math.ceil(ratio * rows - 1e-9), // 0.07 * 100 is a hair above 7
};

function halfEven(x: number): number {
  const below = Math.floor(x);
  return x - below === 0.5 ? below + (below % 2) : Math.round(x);
}
