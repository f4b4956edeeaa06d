import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { FoveaError } from "../errors.js";
import { parsePruneSpec } from "../prune/parse-prune-spec.js";
import { parseSkipSpec } from "../prune/parse-skip-spec.js";
import type { Plan, PlanStage, SkipLayers } from "../prune/plan.js";

/** The options that make a plan, as commander hands them over. */
export interface PlanOptions {
  plan?: string;
  prune?: PlanStage[];
  skipLayers?: SkipLayers[];
  positions?: "compact" | "original";
}

/** Adds the options that make a plan: a file, or its parts. */
export function addPlanOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--plan <file>", "what to prune and skip, a JSON file").conflicts([
        "prune",
        "skipLayers",
        "positions",
      ]),
    )
    .option(
      "--prune <spec>",
      "pruning methods, as in divPrune:keep=0.25,pyramidDrop:layers=2+4",
      usageError(parsePruneSpec),
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
    );
}

/** The plan that the options describe; undefined when there are none. Only the engine knows whether it fits a model. */
export async function readPlan({ plan, prune, skipLayers, positions }: PlanOptions): Promise<Plan | undefined> {
  if (plan !== undefined) return readPlanFile(plan);
  if (prune === undefined && skipLayers === undefined && positions === undefined) return undefined;
  return {
    ...(positions !== undefined && { positions }),
    ...(prune !== undefined && { stages: prune }),
    ...(skipLayers !== undefined && { skipLayers }),
  };
}

/** A plan from a file; whether it is one, only the engine knows. */
export async function readPlanFile(file: string): Promise<Plan> {
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
