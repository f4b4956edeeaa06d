// Videos of SmolVLM2: every frame is a picture that is not cut into tiles, with its minute and second written before it.
import { isRecord } from "../is-record.js";
import type { TemplatePart } from "../text/template-message.js";
import { checkResized } from "./check-resized.js";
import { half, readFilter, readFlag, readNumber, readScaling } from "./config-fields.js";
import { fitLongest, readEdge, wholeImage } from "./idefics3.js";
import type { ImageConfig } from "./image-preprocessor.js";
import { numberWords } from "./number-words.js";
import { roundHalfEven } from "./round-half-even.js";
import { spreadEvenly } from "./spread-evenly.js";
import type { VideoPreprocessor } from "./video-preprocessor.js";

/** Seconds at either end of a long video that no frame is taken from. */
const skipped = 1;

/** What SmolVLMVideoProcessor of transformers does, and how SmolVLMProcessor writes a video. rows: of each frame. */
export function createSmolVlmVideoPreprocessor({ video: config }: ImageConfig, rows: number): VideoPreprocessor {
  const settings = isRecord(config.video_sampling) ? config.video_sampling : {};
  const longest = readEdge(config.size ?? settings.video_size ?? { longest_edge: 4 * 364 }, "size");
  const tile = readEdge(config.max_image_size ?? { longest_edge: 364 }, "max_image_size");
  const fps = settings.fps != null ? readNumber(settings, "fps", 1) : readNumber(config, "fps", Number.NaN);
  const most =
    settings.max_frames != null
      ? readNumber(settings, "max_frames", 64)
      : readNumber(config, "num_frames", Number.POSITIVE_INFINITY);
  const filter = readFilter(config, "resample", 1);
  const scaling = readScaling(config, half, half);
  const resizes = readFlag(config, "do_resize", true);

  return {
    sample(video, given) {
      const { frames, duration } = video;
      const rate = given !== undefined && given !== "all" && "fps" in given ? given.fps : fps;
      const limit = given !== undefined && given !== "all" && "frames" in given ? given.frames : most;
      if (given === "all" || (Number.isNaN(rate) && limit === Number.POSITIVE_INFINITY)) {
        return Array.from({ length: frames }, (_, i) => i);
      }
      const wanted = Number.isNaN(rate) ? limit : roundHalfEven(rate * duration);
      let [first, last] = [0, frames - 1];
      if (duration - 2 * skipped > limit * rate) {
        first = Math.trunc(skipped * video.fps);
        last = Math.min(Math.trunc(frames - skipped * video.fps), last);
        if (first >= last) [first, last] = [0, frames - 1];
      }
      const places = spreadEvenly(first, last, Math.max(1, Math.min(wanted, limit))).map(Math.floor);
      return [...new Set(places)];
    },
    cut({ size }, index) {
      const fitted = fitLongest(size, longest);
      const window = { left: 0, top: 0, width: tile, height: tile };
      if (!resizes)
        return { resizes: [], frame: { resize: null, filter, window, ...scaling }, framesEach: 1, seconds: 0 };
      checkResized(size, fitted, index);
      return {
        resizes: [fitted],
        frame: { resize: { width: tile, height: tile }, filter, window, ...scaling },
        framesEach: 1,
        seconds: 0,
      };
    },
    parts({ times, duration }) {
      const frames = times.map((time, i): TemplatePart[] => {
        const intro = `You are provided the following series of ${numberWords(times.length)} frames from a ${clock(duration)} [H:MM:SS] video.\n`;
        return [{ type: "text", text: `${i === 0 ? intro : ""}\nFrame from ${minutes(time)}:` }, { type: "image" }];
      });
      return [...frames.flat(), { type: "text", text: "\n\n" }];
    },
    placeholders: ({ times }) => times.map(() => wholeImage(rows)),
  };
}

/** Two digits at least. */
function pad(value: number): string {
  return `${value}`.padStart(2, "0");
}

/** MM:SS. */
function minutes(seconds: number): string {
  return `${pad(Math.floor(seconds / 60))}:${pad(Math.floor(seconds % 60))}`;
}

/** H:MM:SS, with the days before it. */
function clock(duration: number): string {
  const seconds = Math.trunc(duration);
  const days = Math.floor(seconds / 86_400);
  const time = `${Math.floor((seconds % 86_400) / 3600)}:${pad(Math.floor((seconds % 3600) / 60))}:${pad(seconds % 60)}`;
  return days === 0 ? time : `${days} day${days === 1 ? "" : "s"}, ${time}`;
}
