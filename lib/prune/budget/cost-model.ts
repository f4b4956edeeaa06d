import type { RowTrace } from "./trace-rows.js";
import type { Work } from "./work.js";

/** Milliseconds as a line: `fixed` + `slope` * x. */
export interface Line {
  fixed: number;
  slope: number;
}

/** What work takes on one machine with one model: milliseconds as lines through a few measurements. */
export interface CostModel {
  /** x: multiply-accumulates of a request with images. */
  encode: Line;
  /** x: multiply-accumulates. Choosing rows is not in it. */
  prefill: Line;
  /** Choosing rows, per name of a stage: `fixed` for every row that enters, `slope` for every pair with one that leaves. */
  select: Record<string, Line>;
}

/** The milliseconds up to the first token, choosing rows among them; a stage nobody measured chooses in no time. */
export function predictMs(model: CostModel, { encode, prefill }: Work, { stages, tower }: RowTrace): number {
  const choosing = stages.reduce((sum, { name, rowsIn, pairs }) => {
    const { fixed, slope } = model.select[name] ?? { fixed: 0, slope: 0 };
    return sum + fixed * rowsIn + slope * pairs;
  }, 0);
  const encoding = tower.length === 0 ? 0 : at(model.encode, encode);
  return encoding + at(model.prefill, prefill) + choosing;
}

function at({ fixed, slope }: Line, x: number): number {
  return fixed + slope * x;
}
