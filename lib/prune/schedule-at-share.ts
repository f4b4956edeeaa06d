import { allAtDepth } from "./depth-share.js";
import { meanShare } from "./mean-share.js";
import type { Method, PlanFacts } from "./method.js";
import { type OptionSpec, readOption } from "./option.js";
import type { PlanStage } from "./plan.js";
import { smallestRatio, solveShare } from "./solve-share.js";
import { unreachableShare } from "./unreachable-share.js";

/** Decoder layers that drop rows, of 32, and what each keeps: ratios between 0 and 1. */
export interface Schedule {
  layers: readonly number[];
  keep: readonly number[];
}

interface ScheduleOptions {
  layers?: number[];
  keep?: number[];
}

/**
 * A stage whose `keep` is a published schedule made milder or stronger until it leaves `share`, mean over the decoder's
 * layers: its ratios, each to the same power. Power 1 is the schedule itself, 0 keeps every row.
 *
 * @throws FoveaError ERR_FOVEA_PLAN when the layers before the first stage alone see more.
 */
export function scheduleAtShare(
  method: Method<ScheduleOptions>,
  published: Schedule,
  entry: PlanStage,
  share: number,
  facts: PlanFacts,
): PlanStage {
  const { nLayers } = facts;
  const layers =
    entry.layers === undefined
      ? allAtDepth(published.layers, 32, nLayers)
      : (readOption(entry.layers, method.options.layers as OptionSpec, nLayers, `${method.name}.layers`) as number[]);
  const ratios = published.keep.slice(0, layers.length);
  const first = Math.log(ratios[0] as number);
  const keepAt = (x: number) => ratios.map((ratio) => Math.max(x ** (Math.log(ratio) / first), smallestRatio));
  const shareAt = (x: number) =>
    meanShare(method.lower({ layers, keep: keepAt(x) }, facts, method.name), nLayers) as number;
  const x = solveShare(shareAt, share);
  if (x === undefined) throw unreachableShare(method.name, share, (layers[0] as number) / nLayers);
  return { ...entry, layers, keep: keepAt(x) };
}
