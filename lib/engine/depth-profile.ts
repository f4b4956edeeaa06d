import type { NativeDepth } from "../native/binding.js";

/** How a half of a layer, or all of it, changes rows: means over them. */
export interface RowChange {
  /** Cosine of the stream before and after; 1: nothing changed. */
  cosine: number;
  /** Length of what was added, as a share of the stream's. */
  contribution: number;
}

/** What one decoder layer does to the rows of one kind. */
export interface RowsDepth {
  /** How many there were; the means of none are NaN. */
  rows: number;
  /** cos(x, x + attention(norm(x))) */
  attention: RowChange;
  /** cos(y, y + ffn(norm(y))), where y is the stream after attention */
  ffn: RowChange;
  /** From the stream that enters the layer to the one that leaves it. */
  block: RowChange;
}

/** What one decoder layer does. */
export interface LayerDepth {
  text: RowsDepth;
  visual: RowsDepth;
}

/** What every decoder layer does to the rows of one sequence. */
export interface DepthProfile {
  layers: LayerDepth[];
  /** (n_layers + 1, d_model): the stream's last row as it enters each layer, and at the end. */
  lastRow: { data: Float32Array; shape: [number, number] };
}

const parts = ["attention", "ffn", "block"] as const;
const kinds = ["text", "visual"] as const;

/** The addon's sums as means. */
export function depthProfile({ sums, rows, lastRow }: NativeDepth): DepthProfile {
  const nLayers = rows.length / kinds.length;
  const kindOf = (layer: number, kind: number): RowsDepth => {
    const at = layer * kinds.length + kind;
    const n = rows[at] as number;
    const [attention, ffn, block] = parts.map((_, part) => ({
      cosine: (sums[(at * parts.length + part) * 2] as number) / n,
      contribution: (sums[(at * parts.length + part) * 2 + 1] as number) / n,
    })) as [RowChange, RowChange, RowChange];
    return { rows: n, attention, ffn, block };
  };
  return {
    layers: Array.from({ length: nLayers }, (_, layer) => ({ text: kindOf(layer, 0), visual: kindOf(layer, 1) })),
    lastRow: { data: lastRow, shape: [nLayers + 1, lastRow.length / (nLayers + 1)] },
  };
}
