/** Visual rows that run through the two halves of one decoder layer; 0 where a half is skipped. */
export interface LayerRows {
  attention: number;
  ffn: number;
}

/** Widths of the decoder. */
export interface DecoderWidths {
  dModel: number;
  dFf: number;
  /** Layers that convolve where others attend; none where all attend. */
  convLayers?: readonly number[];
}

/**
 * Multiply-accumulates that a prefill spends on visual rows, one entry per decoder layer.
 *
 * This is the convention of the PyramidDrop and FastV tables, so that figures compare with theirs: text rows, the
 * tower and grouped keys are left out, n rows cost 4 n d^2 + 2 n^2 d in attention and 3 n d d_ff in a gated FFN, and
 * one "FLOP" of those tables is one multiply-accumulate. Other papers count the FFN as two products, or count twice.
 * A layer that convolves has the same 4 n d^2, and nothing beside.
 */
export function visualMacs(layers: readonly LayerRows[], { dModel, dFf, convLayers = [] }: DecoderWidths): number {
  return layers.reduce((sum, { attention: n, ffn }, layer) => {
    const pairs = convLayers.includes(layer) ? 0 : 2 * n ** 2 * dModel;
    return sum + 4 * n * dModel ** 2 + pairs + 3 * ffn * dModel * dFf;
  }, 0);
}
