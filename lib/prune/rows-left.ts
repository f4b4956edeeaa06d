import type { KeepBudget, Step } from "./step.js";

/** A choice of rows while nobody knows which: how many, and the choices that it has no row in common with. */
interface Choice {
  size: number | undefined;
  apart: Set<string>;
}

/**
 * How many rows of an image the steps of a stage leave, by the sizes of the choices that they hand to `gather`.
 *
 * @param rows - that enter the stage; whole rows, or a share of them.
 * @param sizeOf - what a budget keeps of `rows` rows; undefined if that is not known.
 * @param otherwise - share of the rows that a gather is taken to keep when their number depends on the picture.
 * @returns undefined when it does and there is no `otherwise`.
 */
export function rowsLeft(
  steps: readonly Step[],
  rows: number,
  sizeOf: (keep: KeepBudget, rows: number) => number | undefined,
  otherwise?: number,
): number | undefined {
  let left: number = rows;
  const choices = new Map<string, Choice>();
  const sizeOfChoice = (name: string | undefined): number | undefined =>
    name === undefined ? left : choices.get(name)?.size;
  for (const step of steps) {
    if (step.do === "gather") {
      const size = sizeOfChoice(step.rows) ?? (otherwise === undefined ? undefined : left * otherwise);
      if (size === undefined) return undefined;
      left = size;
      choices.clear();
    } else if (step.do === "union") {
      choices.set(step.to, union(step.of, choices));
    } else if (step.do === "without") {
      choices.set(step.to, { size: minus(left, sizeOfChoice(step.rows)), apart: new Set([step.rows]) });
    } else if (step.do === "select" && step.by === "none") {
      choices.set(step.to, { size: 0, apart: new Set() });
    } else if ("quota" in step) {
      choices.set(step.to, { size: sizeOfChoice(step.quota), apart: new Set() });
    } else if ("keep" in step) {
      const within =
        "among" in step ? step.among : step.do === "merge" && step.by === "density" ? step.rows : undefined;
      const base = sizeOfChoice(within);
      const size = base === undefined ? undefined : sizeOf(step.keep, base);
      const beside = "beside" in step ? step.beside : undefined;
      choices.set(step.to, {
        size: beside === undefined ? size : minus(size, sizeOfChoice(beside)),
        apart: new Set([...(choices.get(within ?? "")?.apart ?? []), ...(beside === undefined ? [] : [beside])]),
      });
    }
  }
  return left;
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(0, a - b);
}

/** Sets that have rows in common, or may have, make a union of unknown size. */
function union(names: readonly string[], choices: ReadonlyMap<string, Choice>): Choice {
  const areApart = (a: string, b: string) => choices.get(a)?.apart.has(b) || choices.get(b)?.apart.has(a);
  const disjoint = names.every((a, i) => names.slice(i + 1).every((b) => areApart(a, b)));
  const sizes = names.map((name) => choices.get(name)?.size);
  const known = sizes.every((size) => size !== undefined);
  return { size: disjoint && known ? sizes.reduce((sum, size) => sum + size, 0) : undefined, apart: new Set() };
}
