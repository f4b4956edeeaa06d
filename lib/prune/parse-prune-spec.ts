import type { OptionSpec } from "./option.js";
import type { PlanStage } from "./plan.js";
import { planError } from "./plan-error.js";
import { methods } from "./registry.js";
import { unknownName } from "./unknown-name.js";

/**
 * Reads the short form of a plan's stages: methods separated by commas, their options by colons, elements of a list
 * by plus signs. Ranges are left to lowerPlan, which knows the model.
 *
 * @example
 * parsePruneSpec("divPrune:keep=0.25,pyramidDrop:layers=2+4:keep=0.5+0.25");
 * // [{ method: "divPrune", keep: 0.25 }, { method: "pyramidDrop", layers: [2, 4], keep: [0.5, 0.25] }]
 */
export function parsePruneSpec(text: string): PlanStage[] {
  return text.split(",").map(parseStage);
}

function parseStage(piece: string): PlanStage {
  const [name = "", ...options] = piece.split(":").map((part) => part.trim());
  const method = methods.get(name);
  if (method === undefined) throw unknownName(`"${piece}"`, name, "the name of a method", [...methods.keys()]);
  const stage: PlanStage = { method: name };
  const specs = new Map(Object.entries(method.options));
  for (const option of options) {
    const equals = option.indexOf("=");
    if (equals < 0) throw planError(`"${piece}"`, option, "option=value");
    const key = option.slice(0, equals).trim();
    const spec = specs.get(key);
    if (spec === undefined) throw unknownName(`"${piece}"`, key, `an option of ${name}`, [...specs.keys()]);
    if (Object.hasOwn(stage, key)) throw planError(`"${piece}"`, option, `${key} once`);
    const texts = option
      .slice(equals + 1)
      .split("+")
      .map((text) => text.trim());
    const isList = "list" in spec && spec.list !== undefined;
    if (!isList && texts.length > 1) throw planError(`"${piece}"`, option, `one value for ${key}`);
    const values = texts.map((text) => (isWord(spec) ? parseWord(text) : parseNumber(text, option)));
    stage[key] = isList ? values : values[0];
  }
  return stage;
}

/** A word, or what it spells: a switch or a number. */
function parseWord(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return isNumber(text) ? Number(text) : text;
}

function isWord({ kind }: OptionSpec): boolean {
  return kind === "choice" || kind === "switch" || kind === "file";
}

function isNumber(text: string): boolean {
  return /^-?(\d+(\.\d*)?|\.\d+)$/.test(text);
}

function parseNumber(text: string, option: string): number {
  if (!isNumber(text)) throw planError(`"${option}"`, text, "a number, as in 8 or 0.25");
  return Number(text);
}
