/** Where a layer of a decoder of another depth would be: at the same share of the depth, at least one layer in. */
export function atDepth(layer: number, ofLayers: number, nLayers: number): number {
  return Math.min(Math.max(1, Math.round((layer * nLayers) / ofLayers)), nLayers - 1);
}

/** The same for several layers; ones that fall together become one. */
export function allAtDepth(layers: readonly number[], ofLayers: number, nLayers: number): number[] {
  return [...new Set(layers.map((layer) => atDepth(layer, ofLayers, nLayers)))];
}
