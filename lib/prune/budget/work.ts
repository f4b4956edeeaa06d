import type { LayerRows } from "../visual-macs.js";
import type { CostFacts } from "./cost-facts.js";
import type { RowTrace } from "./trace-rows.js";

/** Multiply-accumulates of one request's two phases before the first token. */
export interface Work {
  /** Patch embedding, tower and projector. */
  encode: number;
  /** Decoder, and the vocabulary for the last row. */
  prefill: number;
}

const bytesPerNumber = 4; // the cache holds f32

/**
 * The work that the matrices and the attention of a request take: what is run, nothing left out and nothing counted for
 * a convention. A row of causal attention sees the rows before it, so half of a square. Choosing rows is not in it.
 */
export function workOf({ patches, tower, projected, decoder }: RowTrace, facts: CostFacts): Work {
  const { dModel, dFf, nHeads, nKvHeads, dHead, vocabSize, projectorMacsPerRow, convLayers = [] } = facts;
  const eye = facts.tower;
  const perPatch = 3 * eye.patchSize ** 2 * eye.dModel;
  const towerLayer = ({ attention: n, ffn }: LayerRows) =>
    4 * n * eye.dModel ** 2 + 2 * n ** 2 * eye.dModel + 2 * ffn * eye.dModel * eye.dFf;
  const mixing = (n: number, layer: number) =>
    convLayers.includes(layer)
      ? 4 * n * dModel ** 2
      : 2 * n * dModel * dHead * (nHeads + nKvHeads) + n * (n + 1) * nHeads * dHead;
  const decoderLayer = ({ attention: n, ffn }: LayerRows, layer: number) => mixing(n, layer) + 3 * ffn * dModel * dFf;
  return {
    encode: sum(patches) * perPatch + sum(tower.flat().map(towerLayer)) + projected * projectorMacsPerRow,
    prefill: sum(decoder.map(decoderLayer)) + dModel * vocabSize,
  };
}

/**
 * Bytes of keys and values that the prompt leaves in the cache. A layer whose attention is skipped has none, and neither
 * has one that convolves: the few rows that it remembers are not counted.
 */
export function kvBytesOf(kvRows: readonly number[], { nKvHeads, dHead, convLayers = [] }: CostFacts): number {
  return sum(kvRows.filter((_, layer) => !convLayers.includes(layer))) * 2 * nKvHeads * dHead * bytesPerNumber;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
