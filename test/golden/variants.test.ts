import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../lib/index.js";
import { expectClose } from "./compare.js";
import { readGolden } from "./read-golden.js";

interface Variants {
  variants: { name: string; images: number; padded: boolean }[];
}

/** Tighter than for the embedded model: gelu and its tanh form are 2e-4 apart here. */
const TOLERANCE = 1e-4;
const golden = readGolden<Variants>("variants/golden");

async function load(name: string) {
  return loadModel(fileURLToPath(new URL(`./variants/${name}`, import.meta.url)), { dtype: "f32" });
}

describe("tiny checkpoints give the logits of transformers", () => {
  it.each(golden.meta.variants)("$name", async ({ name }) => {
    const model = await load(name);
    try {
      const expected = golden.floats(`${name}.logits`);
      const { logits } = await model.forward({
        input_ids: golden.ints(`${name}.input_ids`),
        pixel_values: golden.floats(`${name}.pixel_values`),
      });
      expect(logits.shape).toEqual(expected.shape);
      expectClose(logits.data, expected.data, TOLERANCE, name);
    } finally {
      await model.dispose();
    }
  });
});

describe("a padded batch of two gives the logits of transformers", () => {
  const cases = golden.meta.variants
    .filter((v) => v.padded)
    .flatMap(({ name }) => ["left", "right"].map((side) => ({ name, side })));
  it.each(cases)("$name, padded on the $side", async ({ name, side }) => {
    const model = await load(name);
    try {
      const mask = golden.ints(`${name}.${side}.attention_mask`);
      const expected = golden.floats(`${name}.${side}.logits`);
      const [batch = 0, length = 0, vocab = 0] = expected.shape;
      const { logits, rows } = await model.forward({
        input_ids: golden.ints(`${name}.${side}.input_ids`),
        attention_mask: mask,
        pixel_values: golden.floats(`${name}.padded.pixel_values`),
      });
      const returned = logits.shape[1] as number;
      for (let b = 0; b < batch; b++) {
        const real = [...Array(length).keys()].filter((row) => mask.data[b * length + row] === 1);
        const kept = [...(rows[b] as Int32Array)];
        for (const row of real) {
          const at = (b * returned + kept.indexOf(row)) * vocab;
          expect(kept, `sequence ${b} has logits for row ${row}`).toContain(row);
          const wanted = (b * length + row) * vocab;
          expectClose(
            logits.data.subarray(at, at + vocab),
            expected.data.subarray(wanted, wanted + vocab),
            TOLERANCE * 4, // of this row's largest logit, which may be far below that of the batch
            `sequence ${b}, row ${row}`,
          );
        }
      }
    } finally {
      await model.dispose();
    }
  });
});
