/** Rows of one decoder layer before and after a stage on the KV cache. */
export interface CachedRows {
  rowsIn: number;
  rowsOut: number;
}

/**
 * The option `evictPerLayer` of `prefixKv`, learnt from replies to calibration prompts that ran with `evict`: per layer,
 * the mean over prompts of the share of rows that left.
 *
 * @param samples - per prompt, the `layers` of the report of the stage `prefixKv` at `prefilled`.
 * @throws RangeError when there is no sample, or samples differ in their layers.
 */
export function prefixKvRatios(samples: readonly (readonly CachedRows[])[]): number[] {
  const nLayers = samples[0]?.length;
  if (nLayers === undefined || samples.some((layers) => layers.length !== nLayers)) {
    throw new RangeError("prefixKvRatios: expected one or more samples with the same number of layers");
  }
  return Array.from({ length: nLayers }, (_, layer) => {
    const shares = samples.map((layers) => evicted(layers[layer] as CachedRows));
    return shares.reduce((sum, share) => sum + share, 0) / shares.length;
  });
}

/** A layer whose attention is skipped holds no rows and loses none. */
function evicted({ rowsIn, rowsOut }: CachedRows): number {
  return rowsIn === 0 ? 0 : 1 - rowsOut / rowsIn;
}
