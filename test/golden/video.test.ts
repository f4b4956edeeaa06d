import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Message, type Model, type ModelInputs, type Plan, type RowFunction, type VideoPart } from "../../lib/index.js";
import { openVideo } from "../../lib/vision/open-video.js";
import { expectClose } from "./compare.js";
import { beforeProjector, testKeepAll } from "./keep-all.js";
import { readGolden } from "./read-golden.js";

const path = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));
const TOLERANCE = 1e-3;
const clip = path("video/clip.gif");

/** Inputs as recorded but for the pixels, which are those of the clip as the model's own preprocessing makes them. */
async function seen(model: Model, messages: Message[], ids: Int32Array): Promise<ModelInputs> {
  const inputs = await model.process(messages);
  expect([...inputs.input_ids.data]).toEqual([...ids]);
  return inputs;
}

/** A stage that keeps the recorded half of the rows of each image. */
function half(kept: Int32Array, rows: number[], layer: number, positions: "compact" | "original") {
  const counts = rows.map((n) => Math.floor(n / 2));
  const chosen: RowFunction = ({ image }) => {
    const begin = counts.slice(0, image).reduce((sum, n) => sum + n, 0);
    return kept.subarray(begin, begin + (counts[image] as number));
  };
  const plan: Plan = { positions, stages: [{ method: "custom", use: "chosen", layer }] };
  return { plan, custom: { chosen } };
}

/** Largest difference of pixels from recorded levels (frames, 3, height, width). */
function worstLevel(pixels: Float32Array, levels: { data: Uint8Array; shape: number[] }, mean: number[], std: number[]) {
  const plane = (levels.shape[2] as number) * (levels.shape[3] as number);
  let worst = 0; // NaN stays NaN and fails
  for (const [i, value] of pixels.entries()) {
    const channel = Math.floor(i / plane) % 3;
    const level = (value * (std[channel] as number) + (mean[channel] as number)) * 255;
    worst = Math.max(worst, Math.abs(level - (levels.data[i] as number)));
  }
  return worst;
}

interface QwenRecording {
  cutLayer: number;
  cases: { case: string; pictures: number; rows: number[]; tokens: number; text: string }[];
}

describe.each(["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])("a video for %s as transformers runs it", (name) => {
  const golden = readGolden<QwenRecording>(`video/${name}`);
  const { cases, cutLayer } = golden.meta;
  const full = cases.filter(({ text }) => text !== undefined);
  const [mean, std] =
    name === "qwen3_vl"
      ? [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
      : [[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]];
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(path(`qwen_vl/${name}`), { dtype: "f32" });
  });
  afterAll(() => model.dispose());

  const samples: Record<string, VideoPart["sample"]> = { sampled: { fps: 5 }, spread: { frames: 6 } };
  function messagesOf({ case: label, pictures }: { case: string; pictures: number }, video: VideoPart["video"] = clip): Message[] {
    const sample = samples[label];
    const part: VideoPart = { type: "video", video, ...(sample !== undefined && { sample }) };
    const tall = { type: "image" as const, image: path("qwen_vl/tall.png") };
    return [{ role: "user", content: [...(pictures > 0 ? [tall] : []), part, { type: "text", text: "What is it?" }] }];
  }
  const inputsOf = (recorded: QwenRecording["cases"][number]) =>
    seen(model, messagesOf(recorded), golden.ints(`${recorded.case}.input_ids`).data);

  it.each(cases)("chooses the frames of $case and writes its placeholder", async (recorded) => {
    const { image_frames, pixel_sizes } = await inputsOf(recorded);
    const [moments = 0, rows = 0, columns = 0] = golden.ints(`${recorded.case}.grid`).data;
    const [frames = 0, ...others] = [...(image_frames?.data ?? [])].slice(recorded.pictures).map(Number);
    const sizes = [...(pixel_sizes?.data ?? [])].slice(2 * recorded.pictures);
    expect(sizes.slice(0, 2)).toEqual([rows * 4, columns * 4]);
    if (name === "qwen3_vl") expect([frames, ...others]).toEqual(Array(moments).fill(2));
    else expect([frames, ...others]).toEqual([moments * 2]);
  });

  it.each(["usual", "sampled"])("resizes the frames of %s", async (label) => {
    const recorded = cases.find((one) => one.case === label) as QwenRecording["cases"][number];
    const { pixel_values } = await inputsOf(recorded);
    const levels = golden.bytes(`${label}.levels`);
    expect(pixel_values?.data).toHaveLength(levels.data.length);
    const worst = worstLevel(pixel_values?.data as Float32Array, levels, mean, std);
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it("sees the same in a GIF, an animated WebP, their bytes, data URLs, and a list of frames", async () => {
    const recorded = cases[0] as QwenRecording["cases"][number];
    const wanted = await model.process(messagesOf(recorded));
    const bytes = readFileSync(path("video/clip.webp"));
    const opened = await openVideo({ video: clip }, 0);
    const frames = [];
    for await (const frame of opened.read([0, 1, 2, 3, 4, 5, 6])) frames.push(frame);
    for (const video of [path("video/clip.webp"), bytes, `data:image/webp;base64,${bytes.toString("base64")}`]) {
      expect(await model.process(messagesOf(recorded, video))).toEqual(wanted);
    }
    const part: VideoPart = { type: "video", video: frames, fps: 10 };
    const text = { type: "text" as const, text: "What is it?" };
    expect(await model.process([{ role: "user", content: [part, text] }])).toEqual(wanted);
    const url = { type: "video_url" as const, video_url: { url: clip } };
    expect(await model.process([{ role: "user", content: [url, text] }])).toEqual(wanted);
    const timestamps = frames.map((_, i) => i / 10);
    const timed: VideoPart = { type: "video", video: frames, timestamps };
    const { second_per_grid_ts, ...rest } = await model.process([{ role: "user", content: [timed, text] }]);
    const { second_per_grid_ts: seconds, ...others } = wanted;
    expect(rest).toEqual(others);
    expectClose(second_per_grid_ts?.data ?? [], seconds?.data ?? [], 1e-6, "seconds");
  });

  it.each(full)("rows and logits of $case", async (recorded) => {
    const inputs = await inputsOf(recorded);
    const { logits, projected } = await model.forward(inputs, { taps: true, logitsToKeep: 2 });
    if (recorded.case !== "sampled") {
      const wanted = golden.floats(`${recorded.case}.projected`).data;
      expectClose(projected?.data ?? [], wanted, TOLERANCE, "projected rows");
    }
    expectClose(logits.data, golden.floats(`${recorded.case}.logits`).data, TOLERANCE, "logits");
  });

  it.each(full)("answers $case with the same $tokens tokens, also a second time", async (recorded) => {
    for (const cached of [0, recorded.rows.length]) {
      const reply = await model.generate({ messages: messagesOf(recorded), maxTokens: 32 });
      expect(reply.text).toBe(recorded.text);
      expect(reply.usage.generatedTokens).toBe(recorded.tokens);
      if (cached > 0) expect(reply.usage.cachedImages).toBe(cached);
    }
  });

  it.each(
    full.flatMap((recorded) => [
      { ...recorded, positions: "original" as const, logits: "cut" },
      { ...recorded, positions: "compact" as const, logits: "cut_compact" },
    ]),
  )("logits of $case with half of the rows gone inside the decoder, positions $positions", async (recorded) => {
    const kept = golden.ints(`${recorded.case}.kept`).data;
    const { plan, custom } = half(kept, recorded.rows, cutLayer, recorded.positions);
    const { logits } = await model.forward({ ...(await inputsOf(recorded)), plan }, { logitsToKeep: 1, custom });
    expectClose(logits.data, golden.floats(`${recorded.case}.${recorded.logits}`).data, TOLERANCE, "logits");
  });

  it("tells a function of the caller's how long a moment is", async () => {
    const [usual] = cases as [QwenRecording["cases"][number]];
    const moments: (number | undefined)[] = [];
    const whole: RowFunction = ({ places, momentRows }) => {
      moments.push(momentRows);
      return places.map((_, i) => i);
    };
    const plan: Plan = { stages: [{ method: "custom", use: "whole" }] };
    await model.forward({ ...(await inputsOf(usual)), plan }, { custom: { whole } });
    const [n = 0, rows = 0, columns = 0] = golden.ints("usual.grid").data;
    expect(moments).toEqual(name === "qwen3_vl" ? Array(n).fill(undefined) : [(rows * columns) / 4]);
  });

  it("downscale makes frames of fewer squares, and what looks at the plane treats each moment on its own", async () => {
    const [usual] = cases as [QwenRecording["cases"][number]];
    const run = (stage: Plan["stages"]) =>
      model.generate({ messages: messagesOf(usual), maxTokens: 4, plan: { stages: stage ?? [] } });
    const rows = usual.rows.reduce((sum, n) => sum + n, 0);
    expect((await run([{ method: "downscale", keep: 0.25 }])).usage.visualRows).toBeLessThan(rows / 2);
    const [n = 0, height = 0, width = 0] = golden.ints("usual.grid").data;
    const pooled = (await run([{ method: "pool", side: 2 }])).usage.stages[0]?.images ?? [];
    const left = pooled.reduce((sum, { rowsOut }) => sum + rowsOut, 0);
    expect(left).toBe(n * Math.ceil(height / 4) * Math.ceil(width / 4));
  });

  // Moments of the others' videos are images like any other, as Qwen2-VL's video is one like Qwen2.5-VL's.
  if (name !== "qwen2_5_vl") return;
  const both = () => model.process(messagesOf(cases.at(-1) as QwenRecording["cases"][number]));
  // hiRed asks what tower layer 0 attends to, which sees windows.
  testKeepAll(() => model, both, [...beforeProjector, "scope", "hiRed"]);
});

interface SmolRecording {
  cutLayer: number;
  cases: { case: string; fps: number; frames: number; text?: string }[];
}

describe("a video for SmolVLM2 as transformers runs it", () => {
  const golden = readGolden<SmolRecording>("video/smolvlm");
  const { cases, cutLayer } = golden.meta;
  const samples: Record<string, VideoPart["sample"]> = { few: { frames: 4 }, slow: { fps: 0.5 }, long: { frames: 3 } };
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(path("idefics3/smolvlm"), { dtype: "f32" });
  });
  afterAll(() => model.dispose());

  function messagesOf({ case: label, fps }: SmolRecording["cases"][number]): Message[] {
    const sample = samples[label];
    const video: VideoPart = { type: "video", video: clip, fps, ...(sample !== undefined && { sample }) };
    const text = { type: "text" as const, text: "\nWhat is it?" };
    return [{ role: "user", content: [video, text] }];
  }

  it.each(cases)("writes the frames of $case", async (recorded) => {
    const inputs = await seen(model, messagesOf(recorded), golden.ints(`${recorded.case}.input_ids`).data);
    expect(inputs.pixel_values?.shape[0]).toBe(recorded.frames);
  });

  const usual = cases[0] as SmolRecording["cases"][number];
  it("resizes its frames to squares", async () => {
    const { pixel_values } = await model.process(messagesOf(usual));
    const levels = golden.bytes("usual.levels");
    const worst = worstLevel(pixel_values?.data as Float32Array, levels, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]);
    expect(worst, "largest difference in levels of 255").toBeLessThanOrEqual(1.001);
  });

  it("rows, logits, answer, and logits with half of the rows gone", async () => {
    const inputs = await model.process(messagesOf(usual));
    const { logits, projected } = await model.forward(inputs, { taps: true, logitsToKeep: 2 });
    expectClose(projected?.data ?? [], golden.floats("usual.projected").data, TOLERANCE, "projected rows");
    expectClose(logits.data, golden.floats("usual.logits").data, TOLERANCE, "logits");
    const { plan, custom } = half(golden.ints("usual.kept").data, Array(usual.frames).fill(4), cutLayer, "original");
    const cut = await model.forward({ ...inputs, plan }, { logitsToKeep: 1, custom });
    expectClose(cut.logits.data, golden.floats("usual.cut").data, TOLERANCE, "logits");
    expect((await model.generate({ messages: messagesOf(usual), maxTokens: 32 })).text).toBe(usual.text);
  });
});
