import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Message, type Model, type RowFunction } from "../../lib/index.js";
import { expectClose } from "./compare.js";
import { readGolden } from "./read-golden.js";
import { beforeProjector, testKeepAll } from "./keep-all.js";

interface Recording {
  cutLayer: number;
  cases: { model: string; picture: string; tiles: number; tokens: number; text: string }[];
}

const golden = readGolden<Recording>("idefics3/golden");
const path = (name: string) => fileURLToPath(new URL(`./idefics3/${name}`, import.meta.url));
const TOLERANCE = 1e-3;

describe.each(["idefics3", "smolvlm"])("%s as transformers runs it", (name) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(path(name), { dtype: "f32" });
  });
  afterAll(() => model.dispose());

  const cases = golden.meta.cases.filter((recorded) => recorded.model === name);
  const messagesOf = (picture: string): Message[] => [
    {
      role: "user",
      content: [
        { type: "image", image: path(`${picture}.png`) },
        { type: "text", text: "What is it?" },
      ],
    },
  ];
  /** The inputs as recorded; pixels of bytes by the folder's own scaling. */
  async function inputsOf(picture: string) {
    const levels = golden.bytes(`${name}.${picture}.levels`);
    return {
      input_ids: golden.ints(`${name}.${picture}.input_ids`),
      pixel_values: { data: Float32Array.from(levels.data, (level) => (level / 255 - 0.5) / 0.5), shape: levels.shape },
    };
  }

  it.each(cases)("cuts $picture into $tiles tiles and writes its placeholder", async ({ picture, tiles }) => {
    const { input_ids, pixel_values } = await model.process(messagesOf(picture));
    const levels = golden.bytes(`${name}.${picture}.levels`);
    expect(levels.shape[0]).toBe(tiles);
    expect(pixel_values?.shape).toEqual(levels.shape);
    expect([...input_ids.data]).toEqual([...golden.ints(`${name}.${picture}.input_ids`).data]);
    let worst = 0; // NaN stays NaN and fails
    for (const [i, value] of (pixel_values?.data ?? []).entries()) {
      worst = Math.max(worst, Math.abs((value * 0.5 + 0.5) * 255 - (levels.data[i] as number)));
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it.each(cases)("features, rows and logits of $picture", async ({ picture }) => {
    const inputs = await inputsOf(picture);
    const { logits, visionFeatures, projected } = await model.forward(inputs, { taps: true, logitsToKeep: 8 });
    const features = golden.floats(`${name}.${picture}.features`);
    const ofLast = visionFeatures?.data.subarray(-features.data.length) ?? [];
    expectClose(ofLast, features.data, TOLERANCE, "features of the last tile");
    const rows = golden.floats(`${name}.${picture}.projected`);
    expect(projected?.shape).toEqual(rows.shape);
    expectClose(projected?.data ?? [], rows.data, TOLERANCE, "projected rows");
    expectClose(logits.data, golden.floats(`${name}.${picture}.logits`).data, TOLERANCE, "logits");
  });

  it.each(cases)("answers $picture with the same $tokens tokens", async ({ picture, tokens, text }) => {
    const reply = await model.generate({ messages: messagesOf(picture), maxTokens: 32 });
    expect(reply.text).toBe(text);
    expect(reply.usage.generatedTokens).toBe(tokens);
  });

  it.each(cases)("logits of $picture with half of the rows gone inside the decoder", async ({ picture }) => {
    const kept = golden.ints(`${name}.${picture}.kept`);
    const perTile = kept.shape[1] as number;
    const chosen: RowFunction = ({ image }) => kept.data.subarray(image * perTile, (image + 1) * perTile);
    const stage = { method: "custom", use: "chosen", layer: golden.meta.cutLayer } as const;
    const { logits } = await model.forward(
      { ...(await inputsOf(picture)), plan: { positions: "original", stages: [stage] } },
      { logitsToKeep: 1, custom: { chosen } },
    );
    expectClose(logits.data, golden.floats(`${name}.${picture}.cut`).data, TOLERANCE, "logits");
  });

  it("refuses to drop rows before the projector, by the hook's name", async () => {
    const inputs = await inputsOf("tall");
    for (const [stage, hook] of [
      [{ method: "pixelPrune" }, "pixels"],
      [{ method: "toMe" }, "vision-layer"],
    ] as const) {
      const error = await model.forward({ ...inputs, plan: { stages: [stage] } }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ERR_FOVEA_PLAN", message: expect.stringContaining(`hook ${hook}`) });
    }
    await expect(
      model.process(messagesOf("tall"), { plan: { stages: [{ method: "downscale", keep: 0.5 }] } }),
    ).rejects.toMatchObject({ code: "ERR_FOVEA_PLAN", message: expect.stringContaining("downscale") });
  });

  testKeepAll(() => model, () => inputsOf("tall"), [...beforeProjector, "scope"]);
});
