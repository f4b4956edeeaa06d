import { checkOptions } from "../check-options.js";
import type { DepthProfile } from "../engine/depth-profile.js";
import type { Model } from "../engine/model.js";
import { FoveaError } from "../errors.js";
import type { Plan, SkipLayers } from "../prune/plan.js";
import { lowerPlan } from "../prune/validate-plan.js";
import type { Message } from "../text/messages.js";
import type { ImageInput } from "../vision/image-input.js";
import { angularDistances } from "./angular-distance.js";
import { DepthMeans, type DepthTable, type RowKind } from "./depth-table.js";

/** A prompt to measure. */
export interface CalibrationSample {
  messages: Message[];
  /** As in `GenerateOptions`. */
  images?: ImageInput[];
}

/** What to drop, and how to choose it. */
export interface CalibrateOptions {
  /** Sub-layers of one kind, whole layers (`block`), or attention and FFN together (`joint`). */
  drop: "attention" | "ffn" | "block" | "joint";
  /** How many. */
  count: number;
  /** Rows whose means decide; default all. */
  rows?: RowKind;
  /** Measure again after every one that was dropped. */
  iterative?: boolean;
  /** With `block`: `count` layers in a row, those between which the last row turns least. */
  window?: boolean;
  /** What is pruned and skipped while measuring; the result adds to it. */
  plan?: Plan;
  /** Called after every prompt; with `iterative`, the prompts of all rounds count. */
  onProgress?: (progress: { done: number; total: number }) => void;
  /** Stops within one layer; the call rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** What was measured and what follows from it. */
export interface Calibration {
  /** `options.plan` with what was chosen in `skipLayers`. */
  plan: Plan;
  /** What was chosen, in the order of choosing. */
  dropped: { part: SkipLayers["part"]; layer: number }[];
  /** Per decoder layer, before anything of `dropped` was left out. */
  table: DepthTable;
  /** With `window`: mean angular distance of the `count` layers from each first layer on. */
  windows?: number[];
}

/** What calibration uses of a model. */
export type CalibratedModel = Pick<Model, "info" | "process" | "forward">;
type Dropped = Calibration["dropped"][number];

const drops = ["attention", "ffn", "block", "joint"] as const;
const rowKinds = ["all", "text", "visual"] as const;

/**
 * Finds sub-layers that change the stream least for your images and questions, and writes a plan that skips them.
 *
 * `attention`, `ffn` and `joint` are LLM-Drop (He et al. 2024, arXiv:2406.15786): the highest mean cosines of the stream
 * before and after a sub-layer, its norm included, of the prompt's rows. `block` is ShortGPT (Men et al. 2024,
 * arXiv:2403.03853): the lowest block influence, 1 - mean cosine across a layer. Ties go to the lower layer, and in
 * `joint` to attention.
 *
 * @example
 * const { plan } = await calibrate(model, [{ messages, images }], { drop: "attention", count: 2 });
 * @throws FoveaError, or the signal's reason when it was aborted.
 */
export async function calibrate(
  model: CalibratedModel,
  samples: readonly CalibrationSample[],
  options: CalibrateOptions,
): Promise<Calibration> {
  checkOptions(options);
  const { nLayers } = model.info;
  const base = options.plan ?? {};
  const skipped = new Set(lowerPlan(base, model.info).skip.map(({ layer, part }) => `${part} ${layer}`));
  checkCalibration(options, samples);
  const free = candidates(options.drop, nLayers, skipped);
  const { count, rows = "all", iterative = false, signal, onProgress } = options;
  if (count > free.length) throw invalid(`count is ${count}; this model and plan leave ${free.length} to choose from`);

  const nRounds = iterative ? count : 1;
  const total = samples.length * nRounds;
  let done = 0;
  const measure = async (plan: Plan, use: (profile: DepthProfile) => void) => {
    for (const { messages, images } of samples) {
      const inputs = await model.process(messages, { ...(images && { images }), ...(signal && { signal }) });
      const { depth } = await model.forward(
        { ...inputs, plan },
        { depth: true, logitsToKeep: 1, ...(signal && { signal }) },
      );
      use(depth?.[0] as DepthProfile);
      done += 1;
      onProgress?.({ done, total });
    }
  };

  let table: DepthTable | undefined;
  const dropped: Dropped[] = [];
  let windows: number[] | undefined;
  for (let round = 0; round < nRounds; ++round) {
    const means = new DepthMeans();
    await measure(withSkips(base, dropped), (profile) => {
      means.add(profile);
      if (!options.window) return;
      const distances = angularDistances(profile, count).map((distance) => distance / samples.length);
      windows = distances.map((distance, i) => distance + (windows?.[i] ?? 0));
    });
    table ??= means.table;
    if (windows !== undefined) {
      dropped.push(...leastTurning(windows, count, free));
    } else {
      dropped.push(...mostAlike(means.table, rows, iterative ? 1 : count, remaining(free, dropped)));
    }
  }
  return { plan: withSkips(base, dropped), dropped, table: table ?? [], ...(windows && { windows }) };
}

/** What may be dropped, in the order that ties keep. */
function candidates(drop: CalibrateOptions["drop"], nLayers: number, skipped: ReadonlySet<string>): Dropped[] {
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  const isFree = (part: string, layer: number) => !skipped.has(`${part} ${layer}`);
  const of = (part: "attention" | "ffn") =>
    layers.filter((layer) => isFree(part, layer)).map((layer) => ({ part, layer }));
  if (drop === "joint") return [...of("attention"), ...of("ffn")];
  if (drop !== "block") return of(drop);
  const whole = layers.filter((layer) => isFree("attention", layer) && isFree("ffn", layer));
  return whole.map((layer) => ({ part: "block", layer }));
}

function remaining(free: readonly Dropped[], dropped: readonly Dropped[]): Dropped[] {
  return free.filter((one) => !dropped.some(({ part, layer }) => part === one.part && layer === one.layer));
}

/** The n candidates with the highest cosines. */
function mostAlike(table: DepthTable, rows: RowKind, n: number, free: readonly Dropped[]): Dropped[] {
  const cosine = ({ part, layer }: Dropped) => {
    const mean = table[layer]?.[rows];
    if (mean === undefined || mean.rows === 0) throw invalid(`rows is "${rows}"; layer ${layer} saw no such rows`);
    return mean[part].cosine;
  };
  const ranked = free.map((one) => ({ one, cosine: cosine(one) })).sort((a, b) => b.cosine - a.cosine); // stable
  return ranked.slice(0, n).map(({ one }) => one);
}

/** The window of n layers, all of them free, with the smallest distance. */
function leastTurning(windows: readonly number[], n: number, free: readonly Dropped[]): Dropped[] {
  const inWindow = (first: number) => free.filter(({ layer }) => layer >= first && layer < first + n);
  const [best] = windows
    .map((distance, first) => ({ distance, layers: inWindow(first) }))
    .filter(({ layers }) => layers.length === n)
    .sort((a, b) => a.distance - b.distance); // stable
  if (best === undefined) throw invalid(`count is ${n}; this plan leaves no ${n} layers in a row to choose from`);
  return best.layers;
}

/** The plan with more skips: one entry per part, layers ascending. */
function withSkips(plan: Plan, dropped: readonly Dropped[]): Plan {
  if (dropped.length === 0) return plan;
  const parts = (["attention", "ffn", "block"] as const).map((part) => ({
    part,
    layers: dropped.filter((one) => one.part === part).map(({ layer }) => layer),
  }));
  const added = parts.filter(({ layers }) => layers.length > 0);
  for (const { layers } of added) layers.sort((a, b) => a - b);
  return { ...plan, skipLayers: [...(plan.skipLayers ?? []), ...added] };
}

function checkCalibration(options: CalibrateOptions, samples: unknown): void {
  const { drop, count, rows, iterative, window } = options;
  if (!Array.isArray(samples) || samples.length === 0) throw invalid("samples must be a list of at least one prompt");
  if (!drops.includes(drop)) throw invalid(`drop is ${JSON.stringify(drop)}; expected one of ${drops.join(", ")}`);
  if (!Number.isSafeInteger(count) || count < 1) throw invalid(`count is ${count}; expected an integer of at least 1`);
  if (rows !== undefined && !rowKinds.includes(rows)) {
    throw invalid(`rows is ${JSON.stringify(rows)}; expected one of ${rowKinds.join(", ")}`);
  }
  if (window && (drop !== "block" || iterative)) {
    throw invalid('window chooses layers in a row at once; expected drop "block" and no iterative');
  }
}

function invalid(message: string): FoveaError {
  return new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${message}.`);
}
