import sharp, { type Sharp } from "sharp";
import { FoveaError } from "../errors.js";
import { checkPixels, type DecodedImage, decodeImage } from "./decode.js";
import { formatOf, type Limits, readImageFile, shorten } from "./image-file.js";
import type { ImageInput } from "./image-input.js";
import type { Size } from "./image-preprocessor.js";
import { videoError } from "./video-error.js";
import type { VideoInput, VideoSource } from "./video-input.js";
import type { VideoFacts } from "./video-preprocessor.js";

/** Frames a second of a list that does not say, as in transformers. */
const usualFps = 24;

/** Seconds of a frame whose file says none, as browsers show it. */
const usualDelay = 0.1;

/** Decoded pixels of an animation that are held at once. */
const pixelsAtOnce = 16 * 1024 * 1024;

/** A video whose frames can be read. */
export interface OpenVideo extends VideoFacts {
  /** Of a frame, in pixels. */
  size: Size;
  /** When each frame begins, in seconds. */
  times: number[];
  /** Decodes these frames, which ascend, one after another. */
  read(frames: readonly number[]): AsyncGenerator<DecodedImage, void, undefined>;
}

/** Bounds of what is opened. */
export interface VideoLimits extends Limits {
  /** Of one video. */
  maxFrames: number;
}

/** Bounds that hold where no others are given. */
export const usualVideoLimits: VideoLimits = {
  maxBytes: 64 * 1024 * 1024,
  maxPixels: 64 * 1024 * 1024,
  maxFrames: 4096,
};

/** Finds out how many frames a video has, how large they are and when each is seen. Decodes at most one of them. */
export async function openVideo(input: VideoInput, index: number, limits = usualVideoLimits): Promise<OpenVideo> {
  const frames = listOf(input.video);
  const opened =
    frames === null ? await openAnimation(input.video, index, limits) : await openList(frames, index, limits);
  const { fps, times, duration } = clock(input, opened.delays, index);
  return { frames: opened.delays.length, fps, duration, times, size: opened.size, read: opened.read };
}

/** What `openVideo` makes of a list and of an animation. */
interface Opened extends Pick<OpenVideo, "size" | "read"> {
  /** Seconds of each frame; undefined where nothing says so. */
  delays: (number | undefined)[];
}

/** The frames of a list; null if they are in one file. vLLM's clients write lists of JPEGs as one URL with commas. */
function listOf(video: VideoSource): ImageInput[] | null {
  if (Array.isArray(video)) return video;
  const jpegs = typeof video === "string" && /^data:video\/jpeg;base64,/i.test(video);
  if (!jpegs) return null;
  const [head = "", ...frames] = video.split(",");
  return frames.map((frame) => `${head.replace(/video/i, "image")},${frame}`);
}

async function openList(frames: ImageInput[], index: number, limits: VideoLimits): Promise<Opened> {
  checkCount(frames.length, index, limits);
  const decode = (frame: number) =>
    decodeImage(frames[frame] as ImageInput, { ...limits, name: `Video ${index}, frame ${frame}` });
  const { width, height } = await decode(0);
  return {
    size: { width, height },
    delays: frames.map(() => undefined),
    async *read(numbers) {
      for (const number of numbers) {
        const image = await decode(number);
        if (image.width !== width || image.height !== height) {
          const sizes = `${image.width} x ${image.height} pixels and frame 0 ${width} x ${height}`;
          throw videoError(index, `frame ${number} has ${sizes}; frames must be of one size`);
        }
        yield image;
      }
    },
  };
}

async function openAnimation(source: VideoSource, index: number, limits: VideoLimits): Promise<Opened> {
  const fail = (reason: string, cause?: unknown) => videoError(index, reason, cause);
  if (typeof source !== "string" && !(source instanceof Uint8Array)) {
    throw fail("expected a path, a data URL, the bytes of a file, or a list of frames");
  }
  const bytes = await readImageFile(source, limits, fail);
  const format = formatOf(bytes);
  if (format !== "gif" && format !== "webp") {
    const got = format === null ? "its first bytes are of no format that is read here" : `it is a ${format} picture`;
    throw fail(`${got}; expected a GIF or an animated WebP. Take the frames out of it and pass them as a list`);
  }
  const open = (page: number, pages: number) =>
    sharp(bytes, { failOn: "error", limitInputPixels: false, ignoreIcc: true, page, pages });
  try {
    const { width, height, pages = 1, delay = [] } = await open(0, 1).metadata();
    checkPixels(width, height, limits, fail);
    checkCount(pages, index, limits);
    const delays = Array.from({ length: pages }, (_, i) => (delay[i] ? delay[i] / 1000 : usualDelay));
    const atOnce = Math.max(1, Math.floor(pixelsAtOnce / (width * height)));
    return {
      size: { width, height },
      delays,
      async *read(numbers) {
        let [first, end] = [0, 0];
        let data: Buffer = Buffer.alloc(0);
        for (const number of numbers) {
          if (number >= end) {
            [first, end] = [number, Math.min(number + atOnce, (numbers.at(-1) as number) + 1)];
            data = await decodePages(open(first, end - first)).catch((cause) => {
              throw damaged(cause, index);
            });
          }
          const each = width * height * 3;
          yield { width, height, data: data.subarray((number - first) * each, (number - first + 1) * each) };
        }
      },
    };
  } catch (cause) {
    throw damaged(cause, index);
  }
}

/** RGB of every page, one below the other. */
function decodePages(pages: Sharp): Promise<Buffer> {
  return pages.removeAlpha().toColourspace("srgb").raw({ depth: "uchar" }).toBuffer();
}

function damaged(cause: unknown, index: number): FoveaError {
  if (FoveaError.isInstance(cause)) return cause;
  return videoError(index, `it is damaged or incomplete (${shorten((cause as Error).message.trim())})`, cause);
}

function checkCount(frames: number, index: number, { maxFrames }: VideoLimits): void {
  if (frames >= 1 && frames <= maxFrames) return;
  throw videoError(index, `it has ${frames} frames; expected 1 to ${maxFrames}. Leave some out`);
}

/** When frames begin: as the caller says, else as the file does, else at the usual pace. */
function clock(
  { fps: given, timestamps }: VideoInput,
  delays: (number | undefined)[],
  index: number,
): { fps: number; times: number[]; duration: number } {
  const n = delays.length;
  if (timestamps !== undefined) {
    const ascend = timestamps.every(
      (time, i) => Number.isFinite(time) && time >= 0 && (i === 0 || time > (timestamps[i - 1] as number)),
    );
    if (timestamps.length !== n || !ascend) {
      throw videoError(index, `timestamps must be ${n} ascending seconds from 0, one for each frame`);
    }
    const fps = n > 1 ? (n - 1) / ((timestamps[n - 1] as number) - (timestamps[0] as number)) : usualFps;
    return { fps, times: timestamps, duration: n / fps };
  }
  const isTimed = given === undefined && delays.every((delay) => delay !== undefined);
  if (!isTimed) {
    const fps = given ?? usualFps;
    return { fps, times: delays.map((_, i) => i / fps), duration: n / fps };
  }
  let duration = 0;
  const times = (delays as number[]).map((delay) => {
    duration += delay;
    return duration - delay;
  });
  return { fps: n / duration, times, duration };
}
