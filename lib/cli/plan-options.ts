import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { FoveaError } from "../errors.js";
import { type Budget, parseBudgetSpec } from "../prune/budget/budget.js";
import { parseDraftSpec, parseExitSpec } from "../prune/parse-depth-spec.js";
import { parsePruneSpec } from "../prune/parse-prune-spec.js";
import { parseSkipSpec } from "../prune/parse-skip-spec.js";
import type { Draft, Exit, Plan, PlanStage, SkipLayers } from "../prune/plan.js";
import { isPresetName, presets } from "../prune/presets.js";

/** The options that make a plan, as commander hands them over. */
export interface PlanOptions {
  plan?: string;
  prune?: PlanStage[];
  budget?: Budget;
  skipLayers?: SkipLayers[];
  positions?: "compact" | "original";
  draft?: Draft | true;
  exit?: Exit | true;
}

const presetNames = Object.keys(presets).join(", ");

/** Adds the options that make a plan: a file, or its parts. */
export function addPlanOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--plan <file or name>", `what to prune and skip: a JSON file, or ${presetNames}`).conflicts([
        "prune",
        "budget",
        "skipLayers",
        "positions",
        "draft",
        "exit",
      ]),
    )
    .option(
      "--prune <spec>",
      "pruning methods, as in divPrune:keep=0.25,pyramidDrop:layers=2+4",
      usageError(parsePruneSpec),
    )
    .option(
      "--budget <kind=limit>",
      "what the prompt may cost, for methods that do not say how much they keep: rows=…, ratio=…, flops=…, kvBytes=… or ms=…",
      usageError(parseBudgetSpec),
    )
    .option(
      "--skip-layers <spec>",
      "sub-layers to skip, as in attention:6,ffn:3-5,block:7:decode",
      usageError(parseSkipSpec),
    )
    .addOption(
      new Option("--positions <policy>", "position ids of surviving rows: renumbered or kept").choices([
        "compact",
        "original",
      ]),
    )
    .option(
      "--draft [spec]",
      "guess tokens without some sub-layers, check them with all: the same text; as in attention:3-5,max:8; alone, the " +
        "sub-layers are searched for",
      usageError(parseDraftSpec),
    )
    .addOption(
      new Option("--exit [spec]", "stop a token at the first layer that is sure enough, as in layers:4-6,q:0.5")
        .argParser(usageError(parseExitSpec))
        .conflicts("draft"),
    );
}

/** The plan that the options describe; undefined when there are none. Only the engine knows whether it fits a model. */
export async function readPlan({
  plan,
  prune,
  budget,
  skipLayers,
  positions,
  draft,
  exit,
}: PlanOptions): Promise<Plan | undefined> {
  if (plan !== undefined) return readPlanFile(plan);
  const parts = [prune, budget, skipLayers, positions, draft, exit];
  if (parts.every((part) => part === undefined)) return undefined;
  return {
    ...(positions !== undefined && { positions }),
    ...(prune !== undefined && { stages: prune }),
    ...(budget !== undefined && { budget }),
    ...(skipLayers !== undefined && { skipLayers }),
    ...(draft !== undefined && { draft: draft === true ? {} : draft }),
    ...(exit !== undefined && { exit: exit === true ? {} : exit }),
  };
}

/** A preset's plan, or that of a file; whether it is one, only the engine knows. */
export async function readPlanFile(file: string): Promise<Plan> {
  if (isPresetName(file)) return presets[file].plan;
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    const problem = (cause as Error).message;
    throw new FoveaError("ERR_FOVEA_PLAN", `Cannot read the plan ${file}: ${problem}. Expected a JSON file.`, {
      cause,
    });
  }
}

/** Lets commander report a FoveaError as what it is here: a mistake in the command line. */
export function usageError<Value, Rest extends unknown[]>(
  parse: (text: string, ...rest: Rest) => Value,
): (text: string, ...rest: Rest) => Value {
  return (text, ...rest) => {
    try {
      return parse(text, ...rest);
    } catch (error) {
      throw FoveaError.isInstance(error) ? new InvalidArgumentError(error.message) : error;
    }
  };
}
