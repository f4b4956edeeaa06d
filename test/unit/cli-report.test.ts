import { expect, it } from "vitest";
import { report } from "../../lib/cli/report.js";
import { layerRows } from "../../lib/engine/layer-rows.js";
import { fakeReply } from "./cli-fake-engine.js";

const { usage } = fakeReply;
const compacted = {
  ...usage,
  stages: [
    ...usage.stages,
    {
      name: "snapKv",
      hook: "prefilled",
      images: [],
      layers: [
        { rowsIn: 80, rowsOut: 20 },
        { rowsIn: 40, rowsOut: 10 },
      ],
    },
  ],
};

it("a stage on the KV cache has a line of its own, in cached rows", () => {
  const [rows, cache] = report({ ...fakeReply, usage: compacted });
  expect(rows).toBe(report(fakeReply)[0]);
  expect(cache).toBe("snapKv at prefilled: 30 of 120 cached rows (25 %)");
});

it("a stage on the KV cache takes no row from the forward pass", () => {
  expect(layerRows(compacted, 8)).toEqual(layerRows(usage, 8));
});
