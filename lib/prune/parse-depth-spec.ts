import { parseLayers, parseSkipSpec } from "./parse-skip-spec.js";
import type { Draft, DraftSearch, Exit } from "./plan.js";
import { planError } from "./plan-error.js";
import { unknownName } from "./unknown-name.js";

const draftNumbers = ["max", "stopProbability"] as const;
const searchNumbers = ["skipRatio", "context", "stopScore", "patience", "proposals", "seed"] as const;
const parts = ["attention", "ffn", "block"] as const;

/**
 * Reads the short form of `draft`: what guesses leave out as in `parseSkipSpec`, without phases, and numbers, each after
 * its name and a colon. Naming a number of the search asks for one. `fixed` keeps `stopProbability` where it is.
 *
 * @example
 * parseDraftSpec("attention:3-5,ffn:4,max:6,seed:1");
 * // { skipLayers: [{ part: "attention", layers: [3, 4, 5] }, { part: "ffn", layers: [4] }], max: 6, search: { seed: 1 } }
 */
export function parseDraftSpec(text: string): Draft {
  const draft: Draft = {};
  for (const piece of text.split(",")) {
    const [name = "", value = ""] = splitPiece(piece);
    const number = draftNumbers.find((known) => known === name);
    const searchNumber = searchNumbers.find((known) => known === name);
    if (name === "fixed" && value === "") {
      draft.adapt = false;
    } else if (number !== undefined) {
      draft[number] = parseOnce(draft, number, value, piece);
    } else if (searchNumber !== undefined) {
      const search: DraftSearch = draft.search ?? {};
      search[searchNumber] = parseOnce(search, searchNumber, value, piece);
      draft.search = search;
    } else if ((parts as readonly string[]).includes(name)) {
      draft.skipLayers = [...(draft.skipLayers ?? []), ...parseSkipSpec(piece)];
    } else {
      throw unknownName(`"${piece}"`, name, "one of", [...parts, ...draftNumbers, ...searchNumbers, "fixed"]);
    }
  }
  return draft;
}

/**
 * Reads the short form of `exit`.
 *
 * @example
 * parseExitSpec("layers:4-6,q:0.7"); // { layers: [4, 5, 6], q: 0.7 }
 */
export function parseExitSpec(text: string): Exit {
  const exit: Exit = {};
  for (const piece of text.split(",")) {
    const [name = "", value = ""] = splitPiece(piece);
    if (name === "q") exit.q = parseOnce(exit, "q", value, piece);
    else if (name === "layers") exit.layers = parseLayers(value, piece);
    else throw unknownName(`"${piece}"`, name, "one of", ["layers", "q"]);
  }
  return exit;
}

function splitPiece(piece: string): string[] {
  const colon = piece.indexOf(":");
  return (colon < 0 ? [piece] : [piece.slice(0, colon), piece.slice(colon + 1)]).map((part) => part.trim());
}

function parseOnce(into: object, key: string, text: string, piece: string): number {
  if (Object.hasOwn(into, key)) throw planError(`"${piece}"`, text, `${key} once`);
  if (!/^(\d+(\.\d*)?|\.\d+)$/.test(text)) throw planError(`"${piece}"`, text, "a number, as in 8 or 0.25");
  return Number(text);
}
