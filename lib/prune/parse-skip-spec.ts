import type { SkipLayers } from "./plan.js";
import { planError } from "./plan-error.js";

/** Far above the layers of any decoder, far below what would hurt. */
const maxRange = 1024;

/**
 * Reads the short form of `skipLayers`: entries separated by commas, each a part, a colon and layers; layers are
 * joined by plus signs, and ranges include both ends. A phase may follow after another colon.
 *
 * @example
 * parseSkipSpec("attention:6,ffn:3-5+7:decode");
 * // [{ part: "attention", layers: [6] }, { part: "ffn", layers: [3, 4, 5, 7], phase: "decode" }]
 */
export function parseSkipSpec(text: string): SkipLayers[] {
  return text.split(",").map(parseEntry);
}

function parseEntry(piece: string): SkipLayers {
  const [part, layers, phase, ...rest] = piece.split(":").map((field) => field.trim());
  if (part !== "attention" && part !== "ffn" && part !== "block") {
    throw planError(`"${piece}"`, part ?? "", "attention, ffn or block, then a colon and layers, as in ffn:3-5");
  }
  if (layers === undefined || rest.length > 0) throw planError(`"${piece}"`, piece, "part:layers or part:layers:phase");
  const entry: SkipLayers = { part, layers: parseLayers(layers, piece) };
  if (phase === undefined) return entry;
  if (phase !== "both" && phase !== "prefill" && phase !== "decode") {
    throw planError(`"${piece}"`, phase, "a phase: both, prefill or decode");
  }
  return { ...entry, phase };
}

/** Layers and ranges joined by plus signs, as in 3-5+7. */
export function parseLayers(text: string, piece: string): number[] {
  return text.split("+").flatMap((range) => parseRange(range.trim(), piece));
}

function parseRange(text: string, piece: string): number[] {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  if (match === null) throw planError(`"${piece}"`, text, "a layer or a range of layers, as in 6 or 3-5");
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (last < first || last - first >= maxRange) {
    throw planError(`"${piece}"`, text, `a range that ascends and has at most ${maxRange} layers`);
  }
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
