// Videos of Qwen2-VL, Qwen2.5-VL and Qwen3-VL: two frames at a time become patches. The first two models take a video as
// one image with a time axis, Qwen3-VL as many images with the time written before each.
import type { PictureLimit } from "../prune/picture-limit.js";
import { clipMean, clipStd } from "./clip.js";
import { half, readFilter, readFlag, readNumber, readScaling, readSide } from "./config-fields.js";
import type { ImageConfig, Size } from "./image-preprocessor.js";
import { readPixelRange } from "./read-pixel-range.js";
import { roundHalfEven } from "./round-half-even.js";
import { maxRatio, smartResize } from "./smart-resize.js";
import { spreadEvenly } from "./spread-evenly.js";
import { videoError } from "./video-error.js";
import type { FrameSampling } from "./video-input.js";
import type { SeenVideo, VideoFacts, VideoPreprocessor } from "./video-preprocessor.js";

/** What Qwen2VLVideoProcessor and Qwen3VLVideoProcessor of transformers do, and how the processors write a video. */
export function createQwenVideoPreprocessor(
  { video: config, model }: ImageConfig,
  limit: PictureLimit,
): VideoPreprocessor {
  const isQwen3 = model.model_type === "qwen3_vl";
  const resizes = readFlag(config, "do_resize", true);
  const patch = readSide(config.patch_size ?? (isQwen3 ? 16 : 14), "patch_size");
  const unit = patch * readSide(config.merge_size ?? 2, "merge_size");
  const moment = readSide(config.temporal_patch_size ?? 2, "temporal_patch_size");
  const usual = isQwen3 ? 32 * 32 : 28 * 28;
  const range = readPixelRange(config, { min: 128 * usual, max: 768 * usual }, !isQwen3);
  const filter = readFilter(config, "resample", 3);
  const scaling = readScaling(config, isQwen3 ? half : clipMean, isQwen3 ? half : clipStd);
  const isCapped = readFlag(config, "cap_pixels_per_frame", false);
  const maxTokens = readNumber(config, "max_video_tokens", isQwen3 ? 768 : 128_000);
  const fewest = readNumber(config, "min_frames", 4);
  const most = readNumber(config, "max_frames", 768);

  /** What the model's settings say where the caller does not. */
  function sampling(given: FrameSampling | undefined): FrameSampling {
    if (given !== undefined) return given;
    if (!readFlag(config, "do_sample_frames", isQwen3)) return "all";
    if (config.num_frames != null) return { frames: readNumber(config, "num_frames", 0) };
    return config.fps != null || isQwen3 ? { fps: readNumber(config, "fps", 2) } : "all";
  }

  /** Qwen2-VL and 2.5: as many whole moments as there is room for, the places truncated. */
  function sampleInMoments({ frames, fps }: VideoFacts, how: Exclude<FrameSampling, "all">, index: number): number[] {
    let count: number;
    if ("frames" in how) {
      count = roundHalfEven(how.frames / moment) * moment;
      if (count > frames) throw videoError(index, `it has ${frames} frames, fewer than the ${count} to sample`);
    } else {
      const whole = Math.floor(Math.min(most, frames) / moment) * moment;
      const wanted = Math.min(Math.max((frames / fps) * how.fps, fewest), whole, frames);
      count = Math.floor(wanted / moment) * moment;
    }
    if (count < 1) return allOf(frames);
    const step = frames / count;
    return Array.from({ length: Math.ceil(frames / step) }, (_, i) => Math.trunc(Math.fround(i * step)));
  }

  /** Qwen3-VL: spread from the first frame to the last. */
  function sampleToEnds({ frames, fps }: VideoFacts, how: Exclude<FrameSampling, "all">): number[] {
    const wanted = "frames" in how ? how.frames : Math.trunc((frames / fps) * how.fps);
    const count = "frames" in how ? wanted : Math.min(Math.max(wanted, fewest), most, frames);
    return spreadEvenly(0, frames - 1, count).map(roundHalfEven);
  }

  function resized({ size, times }: SeenVideo, index: number): Size {
    const n = times.length;
    // A limit is one of each frame; Qwen3-VL counts the pixels of all.
    const max = Math.min(range.max, limit.pixels * (isQwen3 ? n : 1));
    const min = Math.min(range.min, max);
    if (!resizes) {
      if (size.width % unit === 0 && size.height % unit === 0) return size;
      const got = `${size.width} x ${size.height} pixels are no multiples of ${unit}`;
      throw videoError(index, `${got}, and this model resizes nothing. Crop it`);
    }
    if (Math.max(size.width, size.height) / Math.min(size.width, size.height) > maxRatio) {
      throw videoError(index, `its sides, ${size.width} x ${size.height}, differ more than ${maxRatio} times. Crop it`);
    }
    const floor = Math.trunc(min * 1.05);
    if (!isQwen3) {
      const each = Math.floor((Math.trunc(maxTokens * unit * unit * 0.9) * moment) / n);
      return smartResize(size, unit, { min, max: isCapped ? Math.max(Math.min(max, each), floor) : max });
    }
    if (n < moment) throw videoError(index, `it has ${n} frame; this model takes ${moment} at least`);
    const each = Math.max(Math.min(maxTokens * unit * unit, Math.floor(max / n)), floor);
    const moments = roundHalfEven(n / moment) * moment;
    const least = Math.max(unit / size.height, unit / size.width);
    const grown = (side: number) => (least > 1 ? Math.trunc(side * least) : side);
    const whole = { width: grown(size.width), height: grown(size.height) };
    return smartResize(whole, unit, { min, max: isCapped ? each * n : max }, { exact: n, rounded: moments });
  }

  function shared(video: SeenVideo, index: number): Size {
    const whole = resized(video, index);
    const part = (side: number) => Math.max(1, Math.round((side / unit) * limit.side)) * unit;
    return limit.side === 1 ? whole : { width: part(whole.width), height: part(whole.height) };
  }

  return {
    sample(video, given, index) {
      const how = sampling(given);
      if (how === "all") return allOf(video.frames);
      return isQwen3 ? sampleToEnds(video, how) : sampleInMoments(video, how, index);
    },
    cut(video, index) {
      const size = shared(video, index);
      const isSame = size.width === video.size.width && size.height === video.size.height;
      const n = video.times.length;
      return {
        resizes: [],
        frame: { resize: isSame ? null : size, filter, window: { left: 0, top: 0, ...size }, ...scaling },
        framesEach: isQwen3 ? moment : Math.ceil(n / moment) * moment,
        seconds: moment / ((n / video.frames) * video.fps),
      };
    },
    parts: () => [{ type: "video" }],
    placeholders(video, index) {
      const size = shared(video, index);
      const rows = (size.width / unit) * (size.height / unit);
      const moments = Math.ceil(video.times.length / moment);
      if (!isQwen3) return [[rows * moments]];
      const at = (frame: number) => video.times[Math.min(frame, video.times.length - 1)] as number;
      const placeholder: (string | number)[] = [];
      let text = "";
      for (let first = 0; first < moments * moment; first += moment) {
        const time = (at(first) + at(first + moment - 1)) / 2;
        placeholder.push(`${text}<${tenths(time)} seconds><|vision_start|>`, rows);
        text = "<|vision_end|>";
      }
      return [[...placeholder, text]];
    },
  };
}

function allOf(frames: number): number[] {
  return Array.from({ length: frames }, (_, i) => i);
}

/** Python's format with one decimal: unlike toFixed it brings a half, which only quarters are, to the even digit. */
function tenths(value: number): string {
  const isHalf = Number.isInteger(value * 4) && !Number.isInteger(value * 2);
  return (isHalf ? roundHalfEven(value * 10) / 10 : value).toFixed(1);
}
