import { expect, it } from "vitest";
import { loadModel } from "../../lib/index.js";

it("loading reports ascending progress from 0 to 1", async () => {
  const fractions: number[] = [];
  const model = await loadModel("fovea-mini", { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions[0]).toBe(0);
  expect(fractions.at(-1)).toBe(1);
  expect(fractions.length).toBeGreaterThan(10);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  await model.dispose();
});

it("an aborted load rejects with the signal's reason and a later one works", async () => {
  const reason = new Error("changed my mind");
  const controller = new AbortController();
  const onProgress = () => controller.abort(reason);
  await expect(loadModel("fovea-mini", { onProgress, signal: controller.signal })).rejects.toBe(reason);
  await expect(loadModel("fovea-mini", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await (await loadModel("fovea-mini")).dispose();
});
