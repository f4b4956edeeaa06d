import type { RowStage } from "./plan.js";

/** The schema of the layer that `stageHook` takes. */
export const stageLayer = {
  kind: "layer",
  description: "drop as rows enter this decoder layer; default: before the decoder",
} as const;

/** The hook of a stage that acts before the decoder or, given a layer, as rows enter that layer. */
export function stageHook(layer: number | undefined): Pick<RowStage, "hook" | "layer"> {
  return layer === undefined ? { hook: "projected" } : { hook: "decoder-layer", layer };
}
