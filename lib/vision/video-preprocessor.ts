import type { PreprocessSpec } from "../native/binding.js";
import type { TemplatePart } from "../text/template-message.js";
import type { Size } from "./image-preprocessor.js";
import type { FrameSampling } from "./video-input.js";

/** What is known of a video before a frame of it is chosen. */
export interface VideoFacts {
  /** How many frames it has. */
  frames: number;
  /** Frames a second. */
  fps: number;
  /** Seconds. */
  duration: number;
}

/** A video of which the frames to be seen are chosen. */
export interface SeenVideo extends VideoFacts {
  /** Of a frame, in pixels. */
  size: Size;
  /** When each frame that is seen begins, in seconds. */
  times: number[];
}

/** What the frames that are seen become. */
export interface VideoCut {
  /** Sizes that a frame takes one after another, rounded to bytes each time, by the filter of `frame`. */
  resizes: Size[];
  /** What becomes of a frame after that. */
  frame: PreprocessSpec;
  /** How many frames one image of the tower's takes; the last frame is repeated until they come out even. */
  framesEach: number;
  /** Seconds from one moment that the tower sees to the next. */
  seconds: number;
}

/** What a model's family does to a video. `index` is its position among the request's videos, for errors. */
export interface VideoPreprocessor {
  /** The frames that are seen, ascending. */
  sample(video: VideoFacts, sampling: FrameSampling | undefined, index: number): number[];
  /** Geometry and scaling of its frames. */
  cut(video: SeenVideo, index: number): VideoCut;
  /** What stands for the video in a message. */
  parts(video: SeenVideo): TemplatePart[];
  /** What the placeholder of each image or video among `parts` becomes, as ImagePreprocessor.placeholder. */
  placeholders(video: SeenVideo, index: number): (string | number)[][];
}
