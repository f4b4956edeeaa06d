import { layerRows } from "../engine/layer-rows.js";
import type { ModelInfo } from "../engine/model.js";
import type { Usage } from "../engine/reply.js";
import { visualMacs } from "../prune/visual-macs.js";

/**
 * Work of one prefill in the three conventions that papers call "FLOPs". They differ by more than a factor of two, so
 * figures compare only within one of them. In all three n is the number of rows in a layer as it was actually run, H
 * the model's width, m the FFN's; heads, grouped keys, the tower, the projector and the vocabulary are left out, and a
 * half of a layer that is skipped costs nothing.
 */
export interface Flops {
  /**
   * Visual rows alone, multiply-accumulates: 4nH^2 + 2n^2H + 3nHm per layer. PyramidDrop's and FastV's tables
   * (arXiv 2410.17247, 2403.06764). LLaVA-1.5-7B with 576 rows: 3.82 T.
   */
  imageMacs: number;
  /**
   * Text and visual rows, multiply-accumulates, a gated FFN counted as two products: 4nH^2 + 2n^2H + 2nHm per layer.
   * DivPrune's tables (arXiv 2503.02175, `tflops.py`). LLaVA-1.5-7B with 621 rows: 3.23 T.
   */
  textImageMacs: number;
  /**
   * Text and visual rows, a multiplication and an addition counted apart: 2 (4nH^2 + 2n^2H + 3nHm) per layer, which is
   * what p-MoD's table amounts to (arXiv 2412.04449). LLaVA-1.5-7B with 631 rows: 8.38 T.
   */
  flops: number;
}

/** Rows of a prefill, per decoder layer and half. */
type Rows = { attention: number; ffn: number }[];

/** The work of the prefill that a reply reports. */
export function prefillFlops(usage: Usage, model: Pick<ModelInfo, "nLayers" | "dModel" | "dFf" | "convLayers">): Flops {
  const visual = layerRows(usage, model.nLayers);
  const text = layerRows({ ...usage, visualRows: usage.promptRows - usage.visualRows, stages: [] }, model.nLayers);
  const all = visual.map(({ attention, ffn }, layer) => ({
    attention: attention + (text[layer]?.attention ?? 0),
    ffn: ffn + (text[layer]?.ffn ?? 0),
  }));
  return {
    imageMacs: visualMacs(visual, model),
    textImageMacs: visualMacs(all, model) - ffnProduct(all, model),
    flops: 2 * visualMacs(all, model),
  };
}

/** One of the three products of every gated FFN, in multiply-accumulates. */
function ffnProduct(rows: Rows, { dModel, dFf }: Pick<ModelInfo, "dModel" | "dFf">): number {
  return rows.reduce((sum, { ffn }) => sum + ffn * dModel * dFf, 0);
}

/** Visual rows in a decoder layer, mean over the layers; a layer that is skipped has none. */
export function meanVisualRows(usage: Usage, nLayers: number): number {
  const rows = layerRows(usage, nLayers).map(({ attention, ffn }) => Math.max(attention, ffn));
  return rows.reduce((sum, n) => sum + n, 0) / nLayers;
}
