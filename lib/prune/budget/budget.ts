import { isRecord } from "../../is-record.js";
import { planError } from "../plan-error.js";
import { unknownName } from "../unknown-name.js";

/**
 * What a prompt may cost, instead of how much each stage keeps: one limit. It is solved for every prompt before
 * anything is encoded; the plan that comes out is the same for the same prompt shape.
 */
export type Budget =
  /** Visual rows that a decoder layer sees, all images together, mean over the layers. */
  | { rows: number }
  /** The same as a share of the prompt's visual rows, above 0 and at most 1. */
  | { ratio: number }
  /** Multiply-accumulates of encode and prefill; at most 1: as a share of what the prompt costs without dropping rows. */
  | { flops: number }
  /** Bytes that the prompt takes in the KV cache, all layers together, before stages on the cache make them fewer. */
  | { kvBytes: number }
  /**
   * Milliseconds of encode and prefill, which end with the first token, on this machine when it does nothing else and
   * no image comes from the cache.
   */
  | { ms: number };

/** What a budget limits. */
export type BudgetKind = "rows" | "ratio" | "flops" | "kvBytes" | "ms";

/** A budget taken apart. */
export interface Limit {
  kind: BudgetKind;
  limit: number;
}

const ranges: Record<BudgetKind, { accepts: (value: number) => boolean; text: string }> = {
  rows: { accepts: (value) => value >= 1, text: "a number of rows, 1 or more" },
  ratio: { accepts: (value) => value <= 1, text: "a share of the visual rows above 0 and at most 1" },
  flops: {
    accepts: () => true,
    text: "multiply-accumulates, or a share of the unpruned prompt's above 0 and at most 1",
  },
  kvBytes: { accepts: () => true, text: "a number of bytes above 0" },
  ms: { accepts: () => true, text: "a number of milliseconds above 0" },
};
const kinds = Object.keys(ranges) as BudgetKind[];

/**
 * Checks a budget of any origin.
 *
 * @throws FoveaError ERR_FOVEA_PLAN
 */
export function readBudget(value: unknown): Limit {
  const expected = `an object with one of ${kinds.join(", ")}, as in { ratio: 0.25 }`;
  if (!isRecord(value)) throw planError("budget", value, expected);
  const given = Object.entries(value).filter(([, limit]) => limit !== undefined);
  const [name, limit] = given[0] ?? [];
  if (name === undefined || given.length > 1)
    throw planError(
      "budget",
      given.map(([key]) => key),
      expected,
    );
  const kind = kinds.find((known) => known === name);
  if (kind === undefined) throw unknownName("budget", name, "one of", kinds);
  const { accepts, text } = ranges[kind];
  if (typeof limit !== "number" || !Number.isFinite(limit) || limit <= 0 || !accepts(limit)) {
    throw planError(`budget.${kind}`, limit, text);
  }
  return { kind, limit };
}

/** Reads the short form of a budget, as in `ratio=0.25`; its range is left to `readBudget`. */
export function parseBudgetSpec(text: string): Budget {
  const [name = "", value = "", ...rest] = text.split("=").map((part) => part.trim());
  if (rest.length > 0 || value === "" || !Number.isFinite(Number(value))) {
    throw planError(`"${text}"`, value, `a budget: one of ${kinds.join(", ")}, an equals sign and a number`);
  }
  const budget = { [name]: Number(value) };
  readBudget(budget);
  return budget as unknown as Budget;
}
