import { planError } from "./plan-error.js";

/** One option of a method, as data: enough to check it, to fill it in and to explain it. */
export interface OptionSpec {
  kind: OptionKind;
  /** An array of `kind` in this order; `ascending` means strictly. Without it, one number. */
  list?: "ascending" | "non-increasing";
  /** Stands when the option, and every alternative to it, is left out. */
  default?: number;
  description: string;
}

/** What a number means, which settles its range. */
export type OptionKind = "ratio" | "count" | "seed" | "layer";

const maxCount = 2 ** 31 - 1;

interface Range {
  accepts(value: number, nLayers: number): boolean;
  text(nLayers?: number): string;
}

const ranges: Record<OptionKind, Range> = {
  ratio: {
    accepts: (value) => value > 0 && value <= 1,
    text: () => "a ratio above 0 and at most 1",
  },
  count: {
    accepts: (value) => Number.isInteger(value) && value >= 1 && value <= maxCount,
    text: () => "a whole number of rows, 1 or more",
  },
  seed: {
    accepts: (value) => Number.isSafeInteger(value) && value >= 0,
    text: () => "a whole number from 0 to 2^53 - 1",
  },
  layer: {
    accepts: (value, nLayers) => Number.isInteger(value) && value >= 1 && value < nLayers,
    text: (nLayers) =>
      nLayers === undefined
        ? "a decoder layer, 1 or more"
        : `a decoder layer from 1 to ${nLayers - 1} (the model has ${nLayers} layers; rows are dropped as they enter one)`,
  },
};

/** In words, what an option accepts; for errors and for help. */
export function optionRange(spec: OptionSpec, nLayers?: number): string {
  const one = ranges[spec.kind].text(nLayers);
  return spec.list === undefined ? one : `a list in ${spec.list} order, each element ${one}`;
}

/** Checks a value from a plan against its schema. */
export function readOption(value: unknown, spec: OptionSpec, nLayers: number, where: string): number | number[] {
  return spec.list === undefined ? readNumber(value, spec.kind, nLayers, where) : readList(value, spec, nLayers, where);
}

function readNumber(value: unknown, kind: OptionKind, nLayers: number, where: string): number {
  const range = ranges[kind];
  if (typeof value !== "number" || !range.accepts(value, nLayers)) throw planError(where, value, range.text(nLayers));
  return value;
}

function readList(value: unknown, spec: OptionSpec, nLayers: number, where: string): number[] {
  // No list of a plan says more than one thing per layer that can be entered.
  if (!Array.isArray(value) || value.length === 0 || value.length >= nLayers) {
    throw planError(where, value, `an array of 1 to ${nLayers - 1} elements, each ${ranges[spec.kind].text(nLayers)}`);
  }
  const list = value.map((element, i) => readNumber(element, spec.kind, nLayers, `${where}[${i}]`));
  for (let i = 1; i < list.length; ++i) {
    const [before, here] = [list[i - 1] as number, list[i] as number];
    const isInOrder = spec.list === "ascending" ? here > before : here <= before;
    if (!isInOrder) throw planError(`${where}[${i}]`, here, orderText(spec.list, before));
  }
  return list;
}

function orderText(order: OptionSpec["list"], before: number): string {
  return order === "ascending"
    ? `more than ${before}, the element before it`
    : `at most ${before}, the element before it`;
}
