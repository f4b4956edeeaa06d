import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Message, parseMessages } from "../../lib/text/messages.js";
import { createIdefics3Preprocessor } from "../../lib/vision/idefics3.js";
import type { RawImage } from "../../lib/vision/image-input.js";
import { numberWords } from "../../lib/vision/number-words.js";
import { openVideo, usualVideoLimits } from "../../lib/vision/open-video.js";
import { chooseFrames } from "../../lib/vision/prepare-video.js";
import { createQwen2VlPreprocessor } from "../../lib/vision/qwen2-vl.js";
import type { FrameSampling, VideoInput } from "../../lib/vision/video-input.js";
import type { VideoPreprocessor } from "../../lib/vision/video-preprocessor.js";

const path = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));

interface Sampling {
  settings: Record<string, Record<string, unknown>>;
  samples: {
    kind: string;
    frames: number;
    fps: number;
    options: { fps?: number; num_frames?: number };
    seen: number[] | null;
  }[];
  sizes: { kind: string; frames: number; width: number; height: number; to: [number, number] }[];
}

const recorded = JSON.parse(readFileSync(path("video/sampling.json"), "utf8")) as Sampling;

function family(kind: string) {
  const [model_type = ""] = kind.split(" ");
  const create = model_type === "smolvlm" ? createIdefics3Preprocessor : createQwen2VlPreprocessor;
  return create({ preprocessor: {}, processor: {}, model: { model_type }, video: recorded.settings[kind] ?? {} });
}

const videosOf = (kind: string) => family(kind).video as VideoPreprocessor;

/** A grey frame. */
const frame = (width = 32, height = 32): RawImage => ({ width, height, data: new Uint8Array(3 * width * height) });

describe("frames of a video are chosen as transformers chooses them", () => {
  it.each(Object.keys(recorded.settings))("%s", (kind) => {
    const samples = recorded.samples.filter((sample) => sample.kind === kind);
    for (const { frames, fps, options, seen } of samples) {
      const how: FrameSampling = options.fps === undefined ? { frames: options.num_frames ?? 0 } : { fps: options.fps };
      const choose = () => videosOf(kind).sample({ frames, fps, duration: frames / fps }, how, 0);
      if (seen === null) expect(choose).toThrow(/Video 0: it has \d+ frames, fewer than the \d+ to sample/);
      else expect({ frames, fps, options, seen: choose() }).toEqual({ frames, fps, options, seen });
    }
    for (const { frames, width, height, to } of recorded.sizes.filter((size) => size.kind === kind)) {
      const times = Array.from({ length: frames }, (_, i) => i);
      const { frame } = videosOf(kind).cut({ frames, fps: 1, duration: frames, times, size: { width, height } }, 0);
      expect({ frames, width, height, to: [frame.window.height, frame.window.width] }).toEqual({
        frames,
        width,
        height,
        to,
      });
    }
  });

  it("without a wish all, but for Qwen3-VL, which looks twice a second, and SmolVLM2, which does once", () => {
    const film = { frames: 240, fps: 24, duration: 10 };
    expect(videosOf("qwen2_vl").sample(film, undefined, 0)).toHaveLength(240);
    expect(videosOf("qwen3_vl").sample(film, undefined, 0)).toHaveLength(20);
    expect(videosOf("smolvlm").sample(film, undefined, 0)).toHaveLength(10);
    for (const kind of ["qwen3_vl", "smolvlm"]) expect(videosOf(kind).sample(film, "all", 0)).toHaveLength(240);
  });
});

describe("what is written between frames", () => {
  const seen = (times: number[], duration = 8) => ({
    frames: times.length,
    fps: 1,
    duration,
    times,
    size: { width: 64, height: 32 },
  });

  it("Qwen3-VL: the middle of each moment, rounded as Python does", () => {
    const [placeholder = []] = videosOf("qwen3_vl").placeholders(seen([0, 0.5, 1, 1.5, 2, 2.3, 3]), 0);
    const written = placeholder.filter((part) => typeof part === "string").join("");
    expect([...written.matchAll(/<([\d.]+) seconds>/g)].map(([, time]) => time)).toEqual(["0.2", "1.2", "2.1", "3.0"]);
  });

  it("SmolVLM2: how many in words, how long, and when", () => {
    const text = (times: number[], duration: number) =>
      videosOf("smolvlm")
        .parts(seen(times, duration))
        .map((part) => (part.type === "text" ? part.text : `<${part.type}>`))
        .join("");
    expect(text([0, 61.9], 8)).toBe(
      "You are provided the following series of two frames from a 0:00:08 [H:MM:SS] video.\n\n" +
        "Frame from 00:00:<image>\nFrame from 01:01:<image>\n\n",
    );
    expect(text([0], 3725)).toContain("one frames from a 1:02:05 [");
    expect(text([0], 90_000)).toContain("from a 1 day, 1:00:00 [");
    expect(text([0], 190_000)).toContain("from a 2 days, 4:46:40 [");
  });

  it("numbers in words", () => {
    const words: Record<number, string> = {
      0: "zero",
      13: "thirteen",
      20: "twenty",
      64: "sixty-four",
      100: "one hundred",
      305: "three hundred and five",
      768: "seven hundred and sixty-eight",
      1000: "one thousand",
      1001: "one thousand and one",
      4096: "four thousand and ninety-six",
      4196: "four thousand, one hundred and ninety-six",
    };
    for (const [value, text] of Object.entries(words)) expect(numberWords(Number(value))).toBe(text);
  });
});

describe("openVideo", () => {
  it("reads an animation's pace, and takes the caller's over it", async () => {
    const usual = await openVideo({ video: path("video/clip.gif") }, 0);
    expect(usual).toMatchObject({ frames: 7, fps: 10, duration: 0.7, size: { width: 40, height: 26 } });
    expect((await openVideo({ video: path("video/clip.gif"), fps: 2 }, 0)).times).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3]);
    const timed = await openVideo({ video: [frame(), frame(), frame()], timestamps: [1, 2, 5] }, 0);
    expect(timed).toMatchObject({ fps: 0.5, duration: 6, times: [1, 2, 5] });
    expect((await openVideo({ video: [frame()] }, 0)).fps).toBe(24);
  });

  it("reads JPEG frames of one URL as vLLM's clients write them", async () => {
    const jpeg = readFileSync(path("preprocess/grey.jpg")).toString("base64");
    expect((await openVideo({ video: `data:video/jpeg;base64,${jpeg},${jpeg}` }, 0)).frames).toBe(2);
  });

  it.each<[string, VideoInput, RegExp]>([
    ["a film", { video: "data:video/mp4;base64,AAAAIGZ0eXBpc29t" }, /Video 3: its first bytes.* as a list/],
    ["a picture", { video: path("preprocess/grey.jpg") }, /it is a jpeg picture; expected a GIF or an animated WebP/],
    ["an address", { video: "https://example.org/film.gif" }, /web address/],
    ["a file that is not there", { video: "nowhere.gif" }, /cannot read nowhere.gif \(ENOENT\)/],
    ["no frames", { video: [] }, /it has 0 frames; expected 1 to 5/],
    ["too many frames", { video: path("video/clip.gif") }, /it has 7 frames; expected 1 to 5/],
    ["damage", { video: Buffer.concat([Buffer.from("GIF89a"), Buffer.alloc(20)]) }, /Video 3: it is damaged/],
    ["a frame that is none", { video: [Buffer.from("x")] }, /Video 3, frame 0: its first bytes/],
    ["times that go back", { video: [frame(), frame()], timestamps: [1, 1] }, /2 ascending seconds from 0/],
    ["too few times", { video: [frame(), frame()], timestamps: [1] }, /2 ascending seconds from 0/],
  ])("refuses %s", async (_, input, message) => {
    const opened = openVideo(input, 3, { ...usualVideoLimits, maxFrames: 5 });
    await expect(opened).rejects.toMatchObject({ code: "ERR_FOVEA_IMAGE", message: expect.stringMatching(message) });
  });

  it("refuses frames of another size, and frames beyond the pixels allowed", async () => {
    const { read } = await openVideo({ video: [frame(), frame(16)] }, 1);
    await expect(drain(read([0, 1]))).rejects.toThrow(/Video 1: frame 1 has 16 x 32 pixels and frame 0 32 x 32/);
    const small = { ...usualVideoLimits, maxPixels: 1000 };
    await expect(openVideo({ video: path("video/clip.gif") }, 0, small)).rejects.toThrow(
      /Video 0: 40 x 26 pixels .* 1000 allowed/,
    );
  });
});

async function drain(frames: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of frames);
}

describe("chooseFrames", () => {
  it("refuses families without videos by name, and more pixels than allowed", async () => {
    const still = createIdefics3Preprocessor({ preprocessor: {}, processor: {}, model: {}, video: {} });
    await expect(chooseFrames({ video: [frame()] }, still, 0, "idefics3")).rejects.toMatchObject({
      code: "ERR_FOVEA_MODEL_UNSUPPORTED",
      message: expect.stringMatching(/family idefics3 take no videos/),
    });
    const video = Array(4096).fill(frame(56, 56));
    await expect(chooseFrames({ video }, family("qwen2_vl"), 2, "qwen2_vl")).rejects.toMatchObject({
      code: "ERR_FOVEA_IMAGE",
      message: expect.stringMatching(/Video 2: 4096 frames of 336 x 336 pixels are more than the \d+ pixels allowed/),
    });
    await expect(chooseFrames({ video: [frame()] }, family("qwen3_vl"), 0, "qwen3_vl")).rejects.toThrow(/1 frame;/);
    const wide = { video: [frame(202, 1)] };
    for (const kind of ["qwen2_vl", "qwen3_vl"]) {
      await expect(chooseFrames({ video: [...wide.video, ...wide.video] }, family(kind), 0, kind)).rejects.toThrow(
        /differ more than 200 times/,
      );
    }
  });
});

describe("a video part of a message", () => {
  it("becomes a marker, its frames travel apart", () => {
    const parsed = parseMessages([
      {
        role: "user",
        content: [
          { type: "video", video: ["a.png", "b.png"], fps: 2, sample: { frames: 4 } },
          { type: "video_url", video_url: { url: "c.gif" } },
          { type: "image", image: "d.png" },
        ],
      },
    ]);
    expect(parsed.messages[0]?.content).toEqual([{ type: "video" }, { type: "video" }, { type: "image" }]);
    expect(parsed.media).toEqual([
      { video: { video: ["a.png", "b.png"], fps: 2, sample: { frames: 4 } } },
      { video: { video: "c.gif" } },
      { image: "d.png" },
    ]);
  });

  it.each<[string, object, RegExp]>([
    ["nothing to see", { type: "video" }, /content\[0\].video must be a path/],
    ["a pace of none", { type: "video", video: "a", fps: 0 }, /fps must be a number above 0, got 0/],
    ["times of none", { type: "video", video: "a", timestamps: [1, "x"] }, /timestamps must be a list of seconds/],
    ["both", { type: "video", video: [], fps: 1, timestamps: [] }, /both fps and timestamps/],
    ["another sampling", { type: "video", video: "a", sample: "some" }, /sample must be "all"/],
    ["two samplings", { type: "video", video: "a", sample: { fps: 1, frames: 2 } }, /sample must be "all"/],
    ["too many", { type: "video", video: "a", sample: { frames: 5000 } }, /frames } from 1 to 4096/],
    ["no address", { type: "video_url", video_url: {} }, /video_url.url must be a string, got nothing/],
  ])("refuses %s", (_, part, message) => {
    expect(() => parseMessages([{ role: "user", content: [part] }] as Message[])).toThrow(
      expect.objectContaining({ code: "ERR_FOVEA_INVALID_ARGUMENT", message: expect.stringMatching(message) }),
    );
  });
});
