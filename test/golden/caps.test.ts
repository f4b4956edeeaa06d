import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Message, type Model, type Plan } from "../../lib/index.js";
import { expectClose } from "./compare.js";
import { readGolden } from "./read-golden.js";

/** One picture under one cap; test/golden/record/caps.py writes them. */
interface Recording {
  cases: { name: string; folder: string; option: "tiles" | "pixels"; cap: number; picture: string }[];
}

const golden = readGolden<Recording>("caps/golden");
const path = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));
const TOLERANCE = 1e-3;

describe.each([...new Set(golden.meta.cases.map(({ folder }) => folder))])("downscale caps pictures of %s", (folder) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(path(folder), { dtype: "f32" });
  });
  afterAll(() => model.dispose());

  const family = folder.split("/")[0] as string;
  const messagesOf = (picture: string): Message[] => [
    {
      role: "user",
      content: [
        { type: "image", image: path(`${family === "internvl" ? "llava-next" : family}/${picture}.png`) },
        { type: "text", text: "What is it?" },
      ],
    },
  ];
  const cases = golden.meta.cases.filter((recorded) => recorded.folder === folder);

  it.each(cases)("as transformers does: $picture, $option at most $cap", async ({ name, option, cap, picture }) => {
    const plan: Plan = { stages: [{ method: "downscale", [option]: cap }] };
    const inputs = await model.process(messagesOf(picture), { plan });
    expect([...inputs.input_ids.data]).toEqual([...golden.ints(`${name}.input_ids`).data]);
    const levels = golden.bytes(`${name}.levels`);
    expect(inputs.pixel_values?.shape).toEqual(levels.shape);
    const { scale, offset } = model.pixelScaling();
    const perChannel = (levels.shape[2] as number) * (levels.shape[3] as number);
    let worst = 0; // NaN stays NaN and fails
    for (const [i, value] of (inputs.pixel_values?.data ?? []).entries()) {
      const channel = Math.floor(i / perChannel) % 3;
      const level = (value - (offset[channel] as number)) / (scale[channel] as number);
      worst = Math.max(worst, Math.abs(level - (levels.data[i] as number)));
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
    const pixels = Float32Array.from(levels.data, (level, i) => {
      const channel = Math.floor(i / perChannel) % 3;
      return level * (scale[channel] as number) + (offset[channel] as number);
    });
    const recorded = { ...inputs, pixel_values: { data: pixels, shape: levels.shape } };
    const { logits } = await model.forward({ ...recorded, plan }, { logitsToKeep: 1 });
    expectClose(logits.data, golden.floats(`${name}.logits`).data, TOLERANCE, "logits of the last row");
  });

  it("a cap above what pictures come to changes nothing, and the other kinds are refused by name", async () => {
    const [{ option, picture }] = cases as [Recording["cases"][0]];
    const asked = (stage: object) =>
      model.process(messagesOf(picture), { plan: { stages: [{ method: "downscale", ...stage }] } });
    expect(await asked({ [option]: 1_000_000_000 })).toEqual(await model.process(messagesOf(picture)));
    const other = option === "tiles" ? "pixels" : "tiles";
    await expect(asked({ [other]: 1 })).rejects.toMatchObject({
      code: "ERR_FOVEA_PLAN",
      message: expect.stringContaining(`downscale.${other}`),
    });
  });
});
