import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isRecord } from "../is-record.js";
import type { CostModel, Line } from "../prune/budget/cost-model.js";
import { cacheFolder, foveaVersion, weightFiles } from "./cache-folder.js";
import type { ModelInfo } from "./model.js";

/** The file of one model's costs: another one for other weights, kernels, threads, another CPU or version of Fovea. */
export async function costFile(info: ModelInfo, cpu: string): Promise<string> {
  const { path, mmproj, dtype, tier, threads } = info;
  const config = await readFile(join(path, "config.json"), "utf8").catch(() => "");
  const files = await weightFiles(mmproj === undefined ? path : { decoder: path, mmproj });
  const weights = await Promise.all(
    files.map(async (file) => {
      const { size, mtimeMs } = await stat(file);
      return [basename(file), size, mtimeMs];
    }),
  );
  const hash = createHash("sha256").update(
    JSON.stringify([await foveaVersion(), cpu, dtype, tier, threads, config, weights]),
  );
  return join(cacheFolder(), `costs-${hash.digest("hex").slice(0, 32)}.json`);
}

/** The costs in a file; undefined when there is none, or it does not hold costs. */
export async function readCosts(file: string): Promise<CostModel | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    return isCostModel(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces a file at once, so that nobody reads half of it. A cache that cannot be written is no reason to fail. */
export async function writeCosts(file: string, costs: CostModel): Promise<void> {
  const part = `${file}.${randomUUID()}`;
  try {
    await mkdir(cacheFolder(), { recursive: true });
    await writeFile(part, `${JSON.stringify(costs)}\n`);
    await rename(part, file);
  } catch {
    await rm(part, { force: true }).catch(() => {});
  }
}

function isCostModel(value: unknown): value is CostModel {
  return (
    isRecord(value) &&
    isLine(value.encode) &&
    isLine(value.prefill) &&
    isRecord(value.select) &&
    Object.values(value.select).every(isLine)
  );
}

function isLine(value: unknown): value is Line {
  const isCost = (number: unknown) => typeof number === "number" && Number.isFinite(number) && number >= 0;
  return isRecord(value) && isCost(value.fixed) && isCost(value.slope);
}
