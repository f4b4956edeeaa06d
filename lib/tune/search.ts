import { gaussian, randomNumbers } from "./random.js";

/** A point of the search and what it is worth. */
export interface Found {
  point: number[];
  value: number;
}

const widest = 0.5;
const narrowest = 0.01;

/**
 * Looks for the point of the unit cube with the largest value. The first third of the evaluations are the middle and
 * random points; from the best of them on, an evolution strategy of one parent and one child: a child differs from its
 * parent by normal numbers in about half of its coordinates, and takes its place when it is no worse. Steps grow by 1.5
 * after a success and shrink by its fourth root after a failure, so that one in five succeeds (Rechenberg's rule).
 *
 * @param evaluate - higher is better, -Infinity where a point is not allowed.
 * @param onFound - called after every evaluation with the best point so far.
 * @returns the best point; its value is -Infinity when none was allowed.
 */
export async function search(
  nDimensions: number,
  evaluate: (point: number[]) => Promise<number>,
  { evaluations, seed }: { evaluations: number; seed: number },
  onFound: (done: number, best: Found) => void,
): Promise<Found> {
  const random = randomNumbers(seed);
  const coordinates = (make: (i: number) => number) => Array.from({ length: nDimensions }, (_, i) => make(i));
  const nStarts = Math.max(1, Math.ceil(evaluations / 3));
  let best: Found = { point: coordinates(() => 0.5), value: Number.NEGATIVE_INFINITY };
  let step = 0.25;
  for (let i = 0; i < evaluations; ++i) {
    const isStart = i < nStarts;
    const { point: parent } = best;
    let point = parent;
    if (i > 0 && isStart) point = coordinates(random);
    else if (i > 0) point = mutated(parent, step, random);
    const value = await evaluate(point);
    const isBetter = value >= best.value;
    if (isBetter) best = { point, value };
    if (!isStart) step = Math.min(widest, Math.max(narrowest, step * (isBetter ? 1.5 : 1.5 ** -0.25)));
    onFound(i + 1, best);
  }
  return best;
}

function mutated(parent: readonly number[], step: number, random: () => number): number[] {
  const certain = Math.floor(random() * parent.length);
  return parent.map((x, i) =>
    i === certain || random() < 0.5 ? Math.min(1, Math.max(0, x + step * gaussian(random))) : x,
  );
}
