import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model, type Plan } from "../../lib/index.js";
import { sampled } from "../engine/sanitized.js";
import { embeddedModel, expectSamePictures, type Recorded, withPictures } from "./eval-pictures.js";

/** One prompt under one method; test/golden/record/kv/cache_harness.py writes them. */
interface Case extends Recorded {
  name: string;
  plan: Plan;
  /** Rows of the prompt that stay in the cache: per layer, one list for all KV heads or one for each. */
  kept: number[][][];
  /** Cached rows per layer after the prompt, and after the reply. */
  kvRows: number[];
  /** The greedy reply without its end token, cut where the reference is not sure of the next one. */
  ids: number[];
  ended: boolean;
  kvRowsAtEnd: number[];
}

const folder = new URL("./kv/", import.meta.url);
const names = readdirSync(folder).map((file) => file.slice(0, -".json".length));

let model: Model;
beforeAll(async () => {
  model = await loadModel(embeddedModel, { dtype: "f32" });
});
afterAll(() => model.dispose());

describe.each(names)("%s equals its plain reference", (method) => {
  const golden = JSON.parse(readFileSync(new URL(`${method}.json`, folder), "utf8")) as {
    pictures: Record<string, string>;
    cases: Case[];
  };

  it("on the recorded pictures", () => {
    expectSamePictures(golden.pictures);
    expect(golden.cases.length).toBeGreaterThan(0);
  });

  it.each(sampled(golden.cases, 5))("$name", async ({ plan, messages, kept, kvRows, ids, ended, kvRowsAtEnd }) => {
    const prompt = { messages: withPictures(messages), plan, maxTokens: ids.length + (ended ? 1 : 0), keepLists: true };
    const { tokens, usage } = await model.generate(prompt);
    const [prefilled, decoding] = usage.stages.filter(({ layers }) => layers !== undefined);
    expect(prefilled?.layers?.map((layer) => layer.kept?.map((head) => [...head]))).toEqual(kept);
    expect(prefilled?.layers?.map(({ rowsOut }) => rowsOut)).toEqual(kvRows);
    expect(usage.kvRows).toEqual(kvRows);
    expect(tokens.map(({ id }) => id)).toEqual(ids);
    if (decoding !== undefined) {
      expect(decoding.layers?.map(({ rowsOut }) => rowsOut)).toEqual(kvRowsAtEnd);
      const fed = ids.length - (ended ? 0 : 1); // the last token is not fed again
      expect(decoding.layers?.map(({ rowsIn }) => rowsIn)).toEqual(kvRows.map((rows) => rows + fed));
    }
  });
});
