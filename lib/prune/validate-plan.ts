import { isRecord } from "../is-record.js";
import { lowerDraft } from "./draft.js";
import { lowerExit } from "./exit.js";
import type { Method, PlanFacts } from "./method.js";
import { type OptionValue, readOption } from "./option.js";
import type { LoweredPlan, LoweredStage } from "./plan.js";
import { planError } from "./plan-error.js";
import { expandPreset } from "./presets.js";
import { methods } from "./registry.js";
import { lowerSkipLayers } from "./skip-layers.js";
import type { Hook } from "./step.js";
import { unknownName } from "./unknown-name.js";

const maxStages = 64;
const maxLoweredStages = 256; // a method can become one stage per layer
const planKeys = ["positions", "stages", "budget", "skipLayers", "draft", "exit", "notes"] as const;
/** In the order of the forward pass. */
const hooks: readonly Hook[] = [
  "pixels",
  "vision-layer",
  "vision-out",
  "projected",
  "decoder-layer",
  "prefilled",
  "decode-step",
];
const positionPolicies = ["compact", "original"] as const;

/**
 * Validates a plan of any origin and turns its methods into primitives at hooks.
 *
 * Stages run in the order of the forward pass, whatever order the plan names them in: `pixels`, the tower's layers,
 * `vision-out`, `projected`, then decoder layers upwards, `prefilled`, `decode-step`. Stages at the same hook run in the order of the plan, each on the rows the one before it left.
 *
 * @throws FoveaError ERR_FOVEA_PLAN, saying where the plan is wrong and what belongs there.
 */
export function lowerPlan(planOrPreset: unknown, facts: PlanFacts): LoweredPlan {
  const plan = expandPreset(planOrPreset);
  if (plan === undefined) return { positions: "compact", stages: [], skip: [] };
  if (!isRecord(plan)) {
    const keys = planKeys.map((key) => `${key}?`).join(", ");
    throw planError("top level", plan, `an object { ${keys} } or the name of a preset`);
  }
  for (const key of Object.keys(plan)) {
    if (!(planKeys as readonly string[]).includes(key)) throw unknownName("top level", key, "one of", planKeys);
  }
  const { budget, draft, exit } = plan;
  if (budget !== undefined) {
    throw planError("budget", budget, "a plan without one", "It is solved for a prompt: Model.stream does that.");
  }
  if (draft !== undefined && exit !== undefined) {
    throw planError("exit", exit, "either draft or exit", "A draft is checked by the whole decoder.");
  }
  const positions = readPositions(plan.positions);
  const stages = lowerStages(plan.stages, facts, positions === undefined);
  const decoding = stages.find(({ hook }) => hook === "decode-step");
  if (draft !== undefined && decoding !== undefined) {
    throw planError(
      "draft",
      draft,
      `no draft beside ${decoding.name}, which drops cached rows while decoding`,
      "The cache cannot take back what it dropped; decode: false keeps the method to the prompt.",
    );
  }
  return {
    positions: positions ?? "compact",
    stages,
    skip: lowerSkipLayers(plan.skipLayers, facts.nLayers),
    ...(draft !== undefined && { draft: lowerDraft(draft, facts.nLayers) }),
    ...(exit !== undefined && { exit: lowerExit(exit, facts.nLayers) }),
  };
}

function readPositions(value: unknown): LoweredPlan["positions"] | undefined {
  if (value === undefined) return undefined;
  const policy = positionPolicies.find((name) => name === value);
  if (policy === undefined) throw unknownName("positions", value, "one of", positionPolicies);
  return policy;
}

/** ownPositions: methods decide about position ids, as the plan does not. */
function lowerStages(value: unknown, facts: PlanFacts, ownPositions: boolean): LoweredStage[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw planError("stages", value, "an array of { method, …options }");
  if (value.length > maxStages) throw planError("stages", value, `at most ${maxStages} stages`);
  const stages = value.flatMap((entry, i) => lowerStage(entry, facts, ownPositions, `stages[${i}]`));
  if (stages.length > maxLoweredStages) {
    throw planError("stages", stages.length, `methods that drop rows at ${maxLoweredStages} places at most`);
  }
  return stages.sort((a, b) => hooks.indexOf(a.hook) - hooks.indexOf(b.hook) || (a.layer ?? 0) - (b.layer ?? 0)); // stable
}

function lowerStage(entry: unknown, facts: PlanFacts, ownPositions: boolean, where: string): LoweredStage[] {
  if (!isRecord(entry)) throw planError(where, entry, "an object { method, …options }");
  const { method: name, ...given } = entry;
  const method = typeof name === "string" ? methods.get(name) : undefined;
  if (method === undefined) throw unknownName(`${where}.method`, name, "the name of a method", [...methods.keys()]);
  const stages = method.lower(readOptions(method, given, facts, where), facts, where);
  const { positions } = method;
  // What a stage says of itself comes before what its method says, and the plan before both.
  if (ownPositions) return positions === undefined ? stages : stages.map((stage) => ({ positions, ...stage }));
  return stages.map((stage) => {
    const { positions: _, ...others } = { positions: undefined, ...stage };
    return others as LoweredStage;
  });
}

/** The options of one stage, checked and with defaults filled in. */
function readOptions(method: Method, given: Record<string, unknown>, facts: PlanFacts, where: string): object {
  const known = new Map(Object.entries(method.options));
  const options: Record<string, OptionValue> = {};
  for (const [name, value] of Object.entries(given)) {
    const spec = known.get(name);
    if (spec === undefined) throw unknownName(where, name, `an option of ${method.name}`, [...known.keys()]);
    if (value !== undefined) options[name] = readOption(value, spec, facts.nLayers, `${where}.${name}`);
  }
  const alternatives = method.alternatives ?? [];
  const chosen = alternatives.filter((name) => name in options);
  if (chosen.length > 1) throw planError(where, chosen, "only one of them");
  for (const [name, spec] of known) {
    const isReplaced = chosen.length > 0 && alternatives.includes(name);
    if (spec.default !== undefined && !isReplaced) options[name] ??= spec.default;
  }
  if (alternatives.length > 0 && !alternatives.some((name) => name in options)) {
    throw planError(
      where,
      undefined,
      `one of the options ${alternatives.join(", ")}`,
      `${method.name} has no default.`,
    );
  }
  return options;
}
