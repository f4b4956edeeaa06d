import { expect, it } from "vitest";
import type { ForwardInputs, Model } from "../../lib/index.js";
import { methods } from "../../lib/prune/registry.js";

/** Methods that have a way to keep every row, with it. */
export const keepAllMethods = [...methods].filter(([, { keepAll }]) => keepAll !== undefined);

/** Methods that act before or at the projector's input: refused where a row is made of several patches or tiles. */
export const beforeProjector = [
  "fasterVlm",
  "holoV",
  "pixelPrune",
  "pruMerge",
  "toMe",
  "turbo",
  "visPruner",
  "visionZip",
  "zeroTPrune",
];

/**
 * One test for each method: keeping everything changes no bit of the logits; those in `refused` are. `options` of some
 * methods, beside their own way to keep everything.
 */
export function testKeepAll(
  model: () => Model,
  inputs: () => ForwardInputs | Promise<ForwardInputs>,
  refused: string[],
  options: Record<string, object> = {},
) {
  it.each(keepAllMethods)("%s changes no bit when it keeps everything, or is refused", async (method, { keepAll }) => {
    const prompt = await inputs();
    const plain = await model().forward(prompt, { logitsToKeep: 1 });
    const plan = { stages: [{ method, ...keepAll, ...options[method] }] };
    const pruned = await model().forward({ ...prompt, plan }, { logitsToKeep: 1 }).catch((thrown: unknown) => thrown);
    if (refused.includes(method)) expect(pruned).toMatchObject({ code: "ERR_FOVEA_PLAN" });
    else expect(pruned).toMatchObject({ logits: plain.logits });
  });
}
