import type { Method, PlanFacts } from "../prune/method.js";
import type { NumberKind, OptionSpec } from "../prune/option.js";
import type { PlanStage } from "../prune/plan.js";
import { planError } from "../prune/plan-error.js";
import { methods } from "../prune/registry.js";
import { unknownName } from "../prune/unknown-name.js";

/**
 * Stages whose options a search sets. A point of the unit cube says where rows leave and how the loss is divided among
 * the places; how much is lost in all is a number of its own, the strength, with which the budget is met. So every
 * point costs the same, and only the division is searched.
 */
export interface SearchSpace {
  nDimensions: number;
  /** Strength 0 keeps every row; the more, the fewer rows. Stages that keep every row are left out. */
  stagesAt(point: readonly number[], strength: number): PlanStage[];
}

/** Ratios and layers, which a search knows how to set. */
type OpenSpec = OptionSpec & { kind: NumberKind };

/** One option of one stage. */
interface Parameter {
  stage: number;
  option: string;
  spec: OpenSpec;
  /** Coordinates [from, from + length). */
  from: number;
  length: number;
}

/** Weights below this are none: the search has to be able to leave out a place altogether. */
const nothing = 0.1;
const parts = 10_000; // ratios are whole numbers of this part
const listLength = 3;

/**
 * The space of what these stages leave open.
 *
 * @throws FoveaError ERR_FOVEA_PLAN when they leave nothing open.
 */
export function searchSpace(stages: readonly PlanStage[], { nLayers }: PlanFacts): SearchSpace {
  const parameters: Parameter[] = [];
  let nDimensions = 0;
  for (const [stage, template] of stages.entries()) {
    const length = lengthOfLists(template, nLayers);
    for (const [option, spec] of openOptions(template)) {
      const count = spec.list === undefined ? 1 : length;
      parameters.push({ stage, option, spec, from: nDimensions, length: count });
      nDimensions += count;
    }
  }
  if (!parameters.some(({ spec }) => spec.kind === "ratio")) {
    throw planError(
      "stages",
      stages.map(({ method }) => method),
      "a stage that leaves open how much it keeps",
    );
  }
  const stagesAt = (point: readonly number[], strength: number) => {
    const all: PlanStage[] = stages.map((stage) => ({ ...stage }));
    const idle = new Set<number>();
    for (const { stage, option, spec, from, length } of parameters) {
      const u = point.slice(from, from + length);
      if (spec.kind === "ratio") {
        const ratios = ratiosAt(u, strength);
        (all[stage] as PlanStage)[option] = spec.list === undefined ? ratios[0] : ratios;
        if (ratios.every((ratio) => ratio === 1)) idle.add(stage);
      } else if (spec.list === undefined) {
        const layer = Math.min(nLayers - 1, Math.floor((u[0] as number) * nLayers));
        if (layer > 0) (all[stage] as PlanStage)[option] = layer; // else where the method drops of itself
      } else {
        (all[stage] as PlanStage)[option] = layersAt(u, nLayers);
      }
    }
    return all.filter((_, i) => !idle.has(i));
  };
  return { nDimensions, stagesAt };
}

/** The tunable options that a stage does not give, in the order of the method. */
function openOptions(stage: PlanStage): [string, OpenSpec][] {
  const method = methods.get(stage.method);
  if (method === undefined) throw unknownName("stages", stage.method, "the name of a method", [...methods.keys()]);
  const specs = new Map(Object.entries(method.options));
  return tunable(method).flatMap((name): [string, OpenSpec][] => {
    const spec = specs.get(name);
    const replacedBy = method.alternatives?.includes(name) ? method.alternatives : [name];
    if (spec?.kind !== "ratio" && spec?.kind !== "layer") return [];
    return replacedBy.some((option) => option in stage) ? [] : [[name, spec]];
  });
}

function tunable({ tunable: names, options }: Method): readonly string[] {
  if (names !== undefined) return names;
  return Object.entries(options).flatMap(([name, spec]) =>
    name === "keep" && spec.kind === "ratio" && spec.list === undefined ? [name] : [],
  );
}

/** Lists of one stage are of one length: that of a list which is given, or a few where the decoder has room for them. */
function lengthOfLists(stage: PlanStage, nLayers: number): number {
  const given = Object.values(stage).find((value): value is unknown[] => Array.isArray(value) && value.length > 0);
  return given?.length ?? Math.max(1, Math.min(listLength, nLayers - 1));
}

/** Shares that fall by strength times the weights so far, in steps of 1/10000. */
function ratiosAt(weights: readonly number[], strength: number): number[] {
  let sum = 0;
  return weights.map((weight) => {
    sum += weight < nothing ? 0 : weight;
    const ratio = Math.exp(-strength * sum);
    return ratio === 1 ? 1 : Math.max(1, Math.floor(ratio * parts)) / parts;
  });
}

/** Distinct layers from 1 on, in order; a point whose coordinates are all alike spreads them evenly. */
function layersAt(u: readonly number[], nLayers: number): number[] {
  const spread = u.map((x, i) => Math.min(1, Math.max(0, (i + 1) / (u.length + 1) + (x - 0.5))));
  const layers = spread.map((x) => Math.min(nLayers - 1, Math.max(1, Math.round(x * nLayers)))).sort((a, b) => a - b);
  for (let i = 1; i < layers.length; ++i) layers[i] = Math.max(layers[i] as number, (layers[i - 1] as number) + 1);
  for (let i = layers.length - 1, last = nLayers - 1; i >= 0; --i, --last) {
    layers[i] = Math.min(layers[i] as number, last);
  }
  return layers;
}
