import type { Exit } from "./plan.js";
import { planError } from "./plan-error.js";
import { readRecord, readShare } from "./read-field.js";

const keys = ["layers", "q"] as const;

/** Checks the `exit` of a plan. Default q: PALBERT's. */
export function lowerExit(value: unknown, nLayers: number): Required<Exit> {
  const { layers, q } = readRecord(value, keys, "exit");
  return {
    layers:
      layers === undefined ? Array.from({ length: nLayers - 1 }, (_, layer) => layer) : readLayers(layers, nLayers),
    q: readShare(q, 0.5, "exit.q"),
  };
}

function readLayers(value: unknown, nLayers: number): number[] {
  const expected = `decoder layers from 0 to ${nLayers - 2} in ascending order (after layer ${nLayers - 1} all stop)`;
  if (!Array.isArray(value) || value.length === 0 || value.length >= nLayers) {
    throw planError("exit.layers", value, expected);
  }
  for (const [i, layer] of value.entries()) {
    if (!Number.isInteger(layer) || layer <= (value[i - 1] ?? -1) || layer > nLayers - 2) {
      throw planError(`exit.layers[${i}]`, layer, expected);
    }
  }
  return value;
}
