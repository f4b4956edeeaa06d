import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Message, type Model, type ModelInputs, type Plan, type RowFunction } from "../../lib/index.js";
import { expectClose } from "./compare.js";
import { readGolden } from "./read-golden.js";
import { beforeProjector, testKeepAll } from "./keep-all.js";

interface Recording {
  cutLayer: number;
  cases: { model: string; prompt: string; pictures: string[]; rows: number[]; tokens: number; text: string }[];
}

const path = (name: string) => fileURLToPath(new URL(`./qwen_vl/${name}`, import.meta.url));
const TOLERANCE = 1e-3;

describe.each(["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])("%s as transformers runs it", (name) => {
  const golden = readGolden<Recording>(`qwen_vl/${name}`);
  const { cases, cutLayer } = golden.meta;
  const [mean, std] =
    name === "qwen3_vl"
      ? [[0.5, 0.5, 0.5] as const, [0.5, 0.5, 0.5] as const]
      : [[0.48145466, 0.4578275, 0.40821073] as const, [0.26862954, 0.26130258, 0.27577711] as const];
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(path(name), { dtype: "f32" });
  });
  afterAll(() => model.dispose());

  const messagesOf = (pictures: string[]): Message[] => [
    {
      role: "user",
      content: pictures.flatMap((picture) => [
        { type: "image", image: path(`${picture}.png`) },
        { type: "text", text: "What is it?" },
      ]),
    },
  ];
  /** The inputs as recorded; pixels of bytes by the folder's own scaling. */
  function inputsOf(prompt: string): ModelInputs {
    const { pictures = [] } = cases.find((recorded) => recorded.prompt === prompt) ?? {};
    const seen = pictures.map((picture) => golden.bytes(`${name}.${picture}.levels`));
    const numbers = seen.flatMap(({ data, shape: [, height = 0, width = 0] }) =>
      Array.from(data, (level, i) => {
        const channel = Math.floor(i / (height * width)) as 0 | 1 | 2;
        return (level / 255 - mean[channel]) / std[channel];
      }),
    );
    return {
      input_ids: golden.ints(`${name}.${prompt}.input_ids`),
      pixel_values: { data: Float32Array.from(numbers), shape: [numbers.length] },
      pixel_sizes: {
        data: Int32Array.from(seen.flatMap(({ shape }) => shape.slice(1))),
        shape: [seen.length, 2],
      },
    };
  }
  /** A stage that keeps the recorded half of the rows. */
  function half(prompt: string, rows: number[], positions: "compact" | "original") {
    const kept = golden.ints(`${name}.${prompt}.kept`).data;
    const counts = rows.map((n) => Math.floor(n / 2));
    const chosen: RowFunction = ({ image }) => {
      const begin = counts.slice(0, image).reduce((sum, n) => sum + n, 0);
      return kept.subarray(begin, begin + (counts[image] as number));
    };
    const plan: Plan = { positions, stages: [{ method: "custom", use: "chosen", layer: cutLayer }] };
    return { plan, custom: { chosen } };
  }

  const alone = cases.filter(({ pictures }) => pictures.length === 1);
  it.each(alone)("fits $prompt to whole squares and writes its placeholder", async ({ prompt, pictures, rows }) => {
    const { input_ids, pixel_values } = await model.process(messagesOf(pictures));
    const levels = golden.bytes(`${name}.${prompt}.levels`);
    const [, height = 0, width = 0] = levels.shape;
    expect(pixel_values?.shape).toEqual([1, 3, height, width]);
    expect((height * width) / 64).toBe(rows[0]);
    expect([...input_ids.data]).toEqual([...golden.ints(`${name}.${prompt}.input_ids`).data]);
    let worst = 0; // NaN stays NaN and fails
    for (const [i, value] of (pixel_values?.data ?? []).entries()) {
      const channel = Math.floor(i / (height * width)) as 0 | 1 | 2;
      worst = Math.max(worst, Math.abs((value * std[channel] + mean[channel]) * 255 - (levels.data[i] as number)));
    }
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it("writes two pictures of different sizes into one prompt", async () => {
    const { input_ids, pixel_values, pixel_sizes } = await model.process(messagesOf(["tall", "wide"]));
    const wanted = inputsOf("both");
    expect([...input_ids.data]).toEqual([...wanted.input_ids.data]);
    expect(pixel_sizes).toEqual(wanted.pixel_sizes);
    expect(pixel_values?.shape).toEqual(wanted.pixel_values?.shape);
  });

  it.each(cases)("features, rows and logits of $prompt", async ({ prompt, pictures }) => {
    const { logits, visionFeatures, projected } = await model.forward(inputsOf(prompt), { taps: true, logitsToKeep: 8 });
    if (pictures.length === 1) {
      const features = golden.floats(`${name}.${prompt}.features`);
      const [n = 0, width = 0] = features.shape;
      const got = visionFeatures?.shape[2] ?? 0; // qwen3_vl has features of deeper layers beside them
      const last = Array.from({ length: n * width }, (_, i) => {
        return visionFeatures?.data[Math.floor(i / width) * got + (i % width)] as number;
      });
      expectClose(last, features.data, TOLERANCE, "features");
    }
    expectClose(projected?.data ?? [], golden.floats(`${name}.${prompt}.projected`).data, TOLERANCE, "projected rows");
    expectClose(logits.data, golden.floats(`${name}.${prompt}.logits`).data, TOLERANCE, "logits");
  });

  it.each(cases)("answers $prompt with the same $tokens tokens", async ({ pictures, tokens, text }) => {
    const reply = await model.generate({ messages: messagesOf(pictures), maxTokens: 32 });
    expect(reply.text).toBe(text);
    expect(reply.usage.generatedTokens).toBe(tokens);
  });

  it("goes on from an earlier prompt, and from a known picture, as if it were new", async () => {
    const fresh = await loadModel(path(name), { dtype: "f32", kvCacheBytes: 0, imageCacheBytes: 0 });
    const messages = messagesOf(["tall", "wide"]);
    messages.push({ role: "assistant", content: "No." }, { role: "user", content: "Why?" });
    const stages = [{ method: "divPrune", keep: 0.5 }];
    for (const plan of [{ stages }, { stages, positions: "original" }, {}] as Plan[]) {
      await model.generate({ messages: messagesOf(["tall", "wide"]), maxTokens: 2, plan });
      const known = await model.generate({ messages, maxTokens: 16, plan });
      const wanted = await fresh.generate({ messages, maxTokens: 16, plan });
      expect(known.text).toBe(wanted.text);
      expect(known.usage.cachedRows).toBeGreaterThan(20);
    }
    await fresh.dispose();
  });

  it("decodes a batch, and drafts, as each alone", async () => {
    const plan: Plan = { stages: [{ method: "fastV", layer: 2, keep: 0.5 }] };
    const run = (picture: string, extra: Plan = {}) =>
      model.generate({ messages: messagesOf([picture]), maxTokens: 12, cache: false, plan: { ...plan, ...extra } });
    const single = [await run("wide"), await run("small")];
    const together = await Promise.all([run("wide"), run("small")]);
    expect(together.map(({ text }) => text)).toEqual(single.map(({ text }) => text));
    const drafted = await run("wide", { draft: { skipLayers: [{ part: "block", layers: [1] }], max: 3 } });
    expect(drafted.text).toBe(single[0]?.text);
  });

  it.each(
    cases.flatMap((recorded) => [
      { ...recorded, positions: "original" as const, logits: "cut" },
      { ...recorded, positions: "compact" as const, logits: "cut_compact" },
    ]),
  )("logits of $prompt with half of the rows gone inside the decoder, positions $positions", async (recorded) => {
    const { prompt, rows, positions } = recorded;
    const { plan, custom } = half(prompt, rows, positions);
    const { logits } = await model.forward({ ...inputsOf(prompt), plan }, { logitsToKeep: 1, custom });
    expectClose(logits.data, golden.floats(`${name}.${prompt}.${recorded.logits}`).data, TOLERANCE, "logits");
  });

  it("refuses to drop rows before the projector, by the hook's name", async () => {
    const inputs = inputsOf("tall");
    for (const [stage, hook] of [
      [{ method: "pixelPrune" }, "pixels"],
      [{ method: "toMe" }, "vision-layer"],
    ] as const) {
      const error = await model.forward({ ...inputs, plan: { stages: [stage] } }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ERR_FOVEA_PLAN", message: expect.stringContaining(`hook ${hook}`) });
    }
  });

  it("downscale makes pictures of fewer squares", async () => {
    const plan: Plan = { stages: [{ method: "downscale", keep: 0.25 }] };
    const reply = await model.generate({ messages: messagesOf(["wide"]), maxTokens: 4, plan });
    expect(reply.usage.visualRows).toBe(4); // 2 x 8 squares become 1 x 4
  });

  const refused = [...beforeProjector, "scope"];
  if (name === "qwen2_5_vl") refused.push("hiRed"); // asks what tower layer 0 attends to, which sees windows
  testKeepAll(() => model, () => inputsOf("both"), refused);
});
