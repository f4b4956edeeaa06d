import type { FrameSampling, VideoInput, VideoSource } from "../vision/video-input.js";
import { invalid, show } from "./invalid-message.js";

/** Frames to sample at most; bounds what a number of a request can make. */
const maxSampled = 4096;

/** Checks a video part of unknown origin; vision/open-video.ts looks at what is inside. `where` names it in errors. */
export function parseVideo(part: Record<string, unknown>, where: string): VideoInput {
  const { video, fps, timestamps, sample } = part;
  const isFile = (typeof video === "string" && video !== "") || video instanceof Uint8Array;
  if (!isFile && !Array.isArray(video)) {
    throw invalid(`${where}.video must be a path, a data URL, bytes or a list of frames, got ${show(video)}`);
  }
  if (fps !== undefined && !isRate(fps)) throw invalid(`${where}.fps must be a number above 0, got ${show(fps)}`);
  if (
    timestamps !== undefined &&
    !(Array.isArray(timestamps) && timestamps.every((time) => typeof time === "number"))
  ) {
    throw invalid(`${where}.timestamps must be a list of seconds, got ${show(timestamps)}`);
  }
  if (fps !== undefined && timestamps !== undefined) {
    throw invalid(`${where} has both fps and timestamps; give one of them`);
  }
  return {
    video: video as VideoSource,
    ...(fps !== undefined && { fps: fps as number }),
    ...(timestamps !== undefined && { timestamps: timestamps as number[] }),
    ...(sample !== undefined && { sample: parseSampling(sample, where) }),
  };
}

function parseSampling(sample: unknown, where: string): FrameSampling {
  if (sample === "all") return sample;
  const { fps, frames, ...rest } = (typeof sample === "object" ? (sample ?? {}) : { sample }) as Record<
    string,
    unknown
  >;
  const isKnown = Object.keys(rest).length === 0;
  if (isKnown && frames === undefined && isRate(fps)) return { fps };
  const isCount = Number.isInteger(frames) && (frames as number) >= 1 && (frames as number) <= maxSampled;
  if (isKnown && fps === undefined && isCount) return { frames: frames as number };
  const expected = `"all", { fps } above 0, or { frames } from 1 to ${maxSampled}`;
  throw invalid(`${where}.sample must be ${expected}, got ${show(sample)}`);
}

function isRate(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}
