import { parse } from "node:path";
import { type Cell, unpruned } from "../eval/cell.js";
import { parsePruneSpec } from "../prune/parse-prune-spec.js";
import { readPlanFile } from "./plan-options.js";

/** The plan of a file, or a preset's, under its name. */
export async function planCell(file: string): Promise<Cell> {
  const { name } = parse(file);
  return { name, line: name, plan: await readPlanFile(file) };
}

/** For commander: a repeatable option whose values are pruning methods. */
export function collectSpec(spec: string, before?: Cell[]): Cell[] {
  return [...(before ?? []), { name: spec, line: spec, plan: { stages: parsePruneSpec(spec) } }];
}

/** Nothing dropped, then what `--prune` and `--plan` name. */
export async function namedCells({ prune, plan }: { prune?: Cell[]; plan?: string[] }): Promise<Cell[]> {
  return [unpruned, ...(prune ?? []), ...(await Promise.all((plan ?? []).map(planCell)))];
}
