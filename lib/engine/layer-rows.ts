import type { LayerRows } from "../prune/visual-macs.js";
import type { StageReport, Usage } from "./reply.js";

/** Visual rows that ran through each decoder layer in prefill, from what a reply reports. */
export function layerRows({ visualRows, stages, skipped }: Usage, nLayers: number): LayerRows[] {
  let rows = visualRows;
  const pending = stages.filter((stage) => stage.layers === undefined); // those on the KV cache leave the stream alone
  return Array.from({ length: nLayers }, (_, layer) => {
    while (pending[0] !== undefined && entersAt(pending[0]) <= layer) {
      rows = (pending.shift()?.images ?? []).reduce((sum, { rowsOut }) => sum + rowsOut, 0);
    }
    const isSkipped = (part: string) =>
      skipped.some((skip) => skip.layer === layer && skip.part === part && skip.phase !== "decode");
    return { attention: isSkipped("attention") ? 0 : rows, ffn: isSkipped("ffn") ? 0 : rows };
  });
}

/** The decoder layer that is the first to see what a stage left. Stages are in the order of the forward pass. */
function entersAt({ hook, layer }: StageReport): number {
  return hook === "decoder-layer" ? (layer ?? 0) : 0;
}
