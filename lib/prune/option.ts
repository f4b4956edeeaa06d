import { resolve } from "node:path";
import { planError } from "./plan-error.js";

/** What an option of a method can hold. */
export type OptionValue = number | string | boolean | number[];

/** One option of a method, as data: enough to check it, to fill it in and to explain it. */
export type OptionSpec = { description: string } & (
  | {
      kind: NumberKind;
      /** An array of `kind` in this order; `ascending` means strictly. Without it, one number. */
      list?: "ascending" | "non-increasing";
      /** Stands when the option, and every alternative to it, is left out. */
      default?: number;
    }
  | {
      kind: "number";
      from: number;
      to: number;
      /** An array of one number per decoder layer. */
      list?: "per-layer";
      default?: number;
    }
  | { kind: "choice"; of: readonly (string | number)[]; default?: string | number }
  | { kind: "switch"; default?: boolean }
  | { kind: "file"; default?: never }
  | { kind: "name"; default?: never }
);

/** What a number means, which settles its range. */
export type NumberKind = "ratio" | "count" | "percent" | "seed" | "layer";

const maxPath = 4096;
const maxName = 64;
const maxCount = 2 ** 31 - 1;

interface Range {
  accepts(value: number, nLayers: number): boolean;
  text(nLayers?: number): string;
}

const ranges: Record<NumberKind, Range> = {
  ratio: {
    accepts: (value) => value > 0 && value <= 1,
    text: () => "a ratio above 0 and at most 1",
  },
  count: {
    accepts: (value) => Number.isInteger(value) && value >= 1 && value <= maxCount,
    text: () => "a whole number, 1 or more",
  },
  percent: {
    accepts: (value) => Number.isInteger(value) && value >= 0 && value <= 99,
    text: () => "a whole number of per cent, 0 to 99",
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
  if (spec.kind === "number") {
    const one = `a number from ${spec.from} to ${spec.to}`;
    return spec.list === undefined ? one : `a list with, for each of ${nLayers ?? "the"} decoder layers, ${one}`;
  }
  if (spec.kind === "choice") return spec.of.join(" or ");
  if (spec.kind === "switch") return "true or false";
  if (spec.kind === "file") return "the path of a safetensors file";
  if (spec.kind === "name") return `a text of 1 to ${maxName} characters`;
  const one = ranges[spec.kind].text(nLayers);
  return spec.list === undefined ? one : `a list in ${spec.list} order, each element ${one}`;
}

/** Checks a value from a plan against its schema. */
export function readOption(value: unknown, spec: OptionSpec, nLayers: number, where: string): OptionValue {
  if (spec.kind === "number" || spec.kind === "choice" || spec.kind === "switch") {
    if (!isOneOf(value, spec, nLayers)) throw planError(where, value, optionRange(spec, nLayers));
    return value;
  }
  if (spec.kind === "file") {
    if (typeof value !== "string" || value === "" || value.length > maxPath) {
      throw planError(where, value, optionRange(spec));
    }
    return resolve(value); // the engine's working directory may be another one by the time it runs
  }
  if (spec.kind === "name") {
    if (typeof value !== "string" || value === "" || value.length > maxName) {
      throw planError(where, value, optionRange(spec));
    }
    return value;
  }
  return spec.list === undefined
    ? readNumber(value, spec.kind, nLayers, where)
    : readList(value, spec.kind, spec.list, nLayers, where);
}

function isOneOf(
  value: unknown,
  spec: Extract<OptionSpec, { kind: "number" | "choice" | "switch" }>,
  nLayers: number,
): value is OptionValue {
  if (spec.kind === "switch") return typeof value === "boolean";
  if (spec.kind === "choice") return (spec.of as readonly unknown[]).includes(value);
  const isNumber = (one: unknown) => typeof one === "number" && one >= spec.from && one <= spec.to;
  if (spec.list === undefined) return isNumber(value);
  return Array.isArray(value) && value.length === nLayers && value.every(isNumber);
}

function readNumber(value: unknown, kind: NumberKind, nLayers: number, where: string): number {
  const range = ranges[kind];
  if (typeof value !== "number" || !range.accepts(value, nLayers)) throw planError(where, value, range.text(nLayers));
  return value;
}

type Order = "ascending" | "non-increasing";

function readList(value: unknown, kind: NumberKind, order: Order, nLayers: number, where: string): number[] {
  // No list of a plan says more than one thing per layer that can be entered.
  if (!Array.isArray(value) || value.length === 0 || value.length >= nLayers) {
    throw planError(where, value, `an array of 1 to ${nLayers - 1} elements, each ${ranges[kind].text(nLayers)}`);
  }
  const list = value.map((element, i) => readNumber(element, kind, nLayers, `${where}[${i}]`));
  for (let i = 1; i < list.length; ++i) {
    const [before, here] = [list[i - 1] as number, list[i] as number];
    const isInOrder = order === "ascending" ? here > before : here <= before;
    if (!isInOrder) throw planError(`${where}[${i}]`, here, orderText(order, before));
  }
  return list;
}

function orderText(order: Order, before: number): string {
  return order === "ascending"
    ? `more than ${before}, the element before it`
    : `at most ${before}, the element before it`;
}
