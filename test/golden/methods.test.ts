import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model, type Plan } from "../../lib/index.js";
import { sampled } from "../engine/sanitized.js";
import { expectClose } from "./compare.js";
import { embeddedModel, expectSamePictures, type Recorded, withPictures } from "./eval-pictures.js";
import { readGolden } from "./read-golden.js";

/** One prompt under one method; test/golden/record/methods/harness.py writes them. */
interface Case extends Recorded {
  name: string;
  plan: Plan;
  /** Raster rows that stay, per stage and image. */
  kept: number[][][];
  /** Rows of text of the prompt that stay, per stage, where stages are over text. */
  keptText?: number[][];
  /** Rows that enter each decoder layer. */
  rowsPerLayer: number[];
}

interface Recording {
  pictures: Record<string, string>;
  cases: Case[];
}

const TOLERANCE = 1e-3;
const names = readdirSync(fileURLToPath(new URL("./methods", import.meta.url)))
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -".json".length));

let model: Model;
beforeAll(async () => {
  model = await loadModel(embeddedModel, { dtype: "f32" });
});
afterAll(() => model.dispose());

describe.each(names)("%s equals its plain reference", (method) => {
  const { meta, floats } = readGolden<Recording>(`methods/${method}`);

  it("on the recorded pictures", () => {
    expectSamePictures(meta.pictures);
    expect(meta.cases.length).toBeGreaterThan(0);
  });

  it.each(sampled(meta.cases, 5))("$name", async ({ name, plan, messages, kept, keptText, rowsPerLayer }) => {
    const inputs = await model.process(withPictures(messages), { plan });
    const { logits, stages } = await model.forward({ ...inputs, plan }, { keepLists: true, logitsToKeep: 1 });
    expect(stages[0]?.map((stage) => stage.images.map((image) => [...(image.kept as Int32Array)]))).toEqual(kept);
    if (keptText) expect(stages[0]?.map((stage) => [...(stage.text?.kept as Int32Array)])).toEqual(keptText);
    expectClose(logits.data, floats(name).data, TOLERANCE, "logits of the last row");
    const reply = await model.generate({ messages: withPictures(messages), plan, maxTokens: 1 });
    expect(reply.usage.kvRows).toEqual(rowsPerLayer);
  });
});
