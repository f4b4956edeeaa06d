import { isRecord } from "../is-record.js";
import type { LoweredPlan } from "./plan.js";
import { planError } from "./plan-error.js";
import { unknownName } from "./unknown-name.js";

const parts = ["attention", "ffn", "block"] as const;
const phases = ["both", "prefill", "decode"] as const;
const keys = ["part", "layers", "phase"] as const;

type Skip = LoweredPlan["skip"][number];

/** Checks the `skipLayers` of a plan and takes blocks apart; the result is in layer order, attention before FFN. */
export function lowerSkipLayers(value: unknown, nLayers: number, place = "skipLayers"): Skip[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw planError(place, value, "an array of { part, layers, phase? }");
  const skips = new Map<string, Skip>();
  for (const [i, entry] of value.entries()) {
    for (const { where, skip } of expand(entry, nLayers, `${place}[${i}]`)) addSkip(skips, skip, where);
  }
  const all = [...skips.values()].sort((a, b) => a.layer - b.layer || (a.part < b.part ? -1 : 1));
  refusePrefillOnlyAttention(all);
  return all;
}

/** The sub-layers of one entry, one by one, so that the first that was named before ends the reading of a huge list. */
function* expand(entry: unknown, nLayers: number, where: string): Generator<{ where: string; skip: Skip }> {
  if (!isRecord(entry)) throw planError(where, entry, "an object { part, layers, phase? }");
  for (const key of Object.keys(entry)) {
    if (!(keys as readonly string[]).includes(key)) throw unknownName(where, key, "one of", keys);
  }
  const part = readName(entry.part, parts, `${where}.part`);
  const phase = entry.phase === undefined ? "both" : readName(entry.phase, phases, `${where}.phase`);
  const { layers } = entry;
  if (!Array.isArray(layers) || layers.length === 0) {
    throw planError(`${where}.layers`, layers, "an array of decoder layers, as in [6, 7]");
  }
  for (const [i, layer] of layers.entries()) {
    const at = `${where}.layers[${i}]`;
    if (!Number.isInteger(layer) || layer < 0 || layer >= nLayers) {
      throw planError(at, layer, `a decoder layer from 0 to ${nLayers - 1} (the model has ${nLayers} layers)`);
    }
    for (const half of part === "block" ? (["attention", "ffn"] as const) : [part]) {
      yield { where: at, skip: { layer, part: half, phase } };
    }
  }
}

function addSkip(skips: Map<string, Skip>, skip: Skip, where: string): void {
  const key = `${skip.layer} ${skip.part}`;
  const before = skips.get(key);
  if (before === undefined) {
    skips.set(key, skip);
  } else if (before.phase !== skip.phase && before.phase !== "both" && skip.phase !== "both") {
    skips.set(key, { ...skip, phase: "both" }); // prefill in one entry, decode in another
  } else {
    throw planError(
      where,
      skip.layer,
      `each sub-layer once, but ${skip.part} of layer ${skip.layer} is skipped already`,
    );
  }
}

function refusePrefillOnlyAttention(skips: Skip[]): void {
  const refused = skips.find((skip) => skip.part === "attention" && skip.phase === "prefill");
  if (refused === undefined) return;
  throw planError(
    "skipLayers",
    "prefill",
    `phase "both" or "decode" for attention of layer ${refused.layer}`,
    "Skipped in prefill only, it would leave decode to read keys and values that nobody wrote.",
  );
}

function readName<Name extends string>(value: unknown, known: readonly Name[], where: string): Name {
  const name = known.find((one) => one === value);
  if (name === undefined) throw unknownName(where, value, "one of", known);
  return name;
}
