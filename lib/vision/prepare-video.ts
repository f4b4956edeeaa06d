import { FoveaError } from "../errors.js";
import type { NativeBinding, NativePixels } from "../native/binding.js";
import type { TemplatePart } from "../text/template-message.js";
import type { ImagePreprocessor } from "./image-preprocessor.js";
import { type OpenVideo, openVideo } from "./open-video.js";
import { videoError } from "./video-error.js";
import type { VideoInput } from "./video-input.js";
import type { VideoCut } from "./video-preprocessor.js";

/** Of one video, resized: as many as a film of an hour at two frames a second has for a model of 128 k rows. */
const maxVideoPixels = 128 * 1024 * 1024;

/** A video of which the frames to be seen are chosen. */
export interface ChosenVideo {
  /** Its position among the request's videos. */
  index: number;
  /** What stands for it in its message. */
  parts: TemplatePart[];
  /** What the placeholder of each image or video among `parts` becomes. */
  placeholders: (string | number)[][];
  opened: OpenVideo;
  /** Frames that are seen, ascending. */
  frames: number[];
  cut: VideoCut;
}

/** Opens a video and chooses what a model sees of it. `family` is its name, for errors. */
export async function chooseFrames(
  input: VideoInput,
  { video: preprocessor }: ImagePreprocessor,
  index: number,
  family: string,
): Promise<ChosenVideo> {
  if (preprocessor === undefined) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `Video ${index}: models of the family ${family} take no videos here; Qwen2-VL, Qwen2.5-VL, Qwen3-VL and SmolVLM2 do. ` +
        "Pass frames as images.",
    );
  }
  const opened = await openVideo(input, index);
  const frames = preprocessor.sample(opened, input.sample, index);
  const seen = { ...opened, times: frames.map((frame) => opened.times[frame] as number) };
  const cut = preprocessor.cut(seen, index);
  const { width, height } = cut.frame.window;
  if (frames.length * width * height > maxVideoPixels) {
    const got = `${frames.length} frames of ${width} x ${height} pixels`;
    throw videoError(index, `${got} are more than the ${maxVideoPixels} pixels allowed. Sample fewer frames`);
  }
  return {
    index,
    parts: preprocessor.parts(seen),
    placeholders: preprocessor.placeholders(seen, index),
    opened,
    frames,
    cut,
  };
}

/** Decodes and preprocesses the frames that are seen one after another. */
export async function prepareVideo(
  { opened, frames, cut }: ChosenVideo,
  { preprocess, resize }: Pick<NativeBinding, "preprocess" | "resize">,
  signal: AbortSignal | undefined,
): Promise<NativePixels[]> {
  const { width, height } = cut.frame.window;
  const size = 3 * width * height;
  const images: NativePixels[] = [];
  let seen = 0;
  for await (const frame of opened.read(frames)) {
    signal?.throwIfAborted();
    let picture = frame;
    for (const to of cut.resizes) {
      if (to.width === picture.width && to.height === picture.height) continue;
      const data = await resize(picture.data, picture.width, picture.height, { ...to, filter: cut.frame.filter });
      picture = { ...to, data };
    }
    const pixels = await preprocess(picture.data, picture.width, picture.height, cut.frame);
    const at = seen++ % cut.framesEach;
    if (at === 0) images.push(emptyImage(cut));
    const image = (images.at(-1) as NativePixels).pixels;
    image.set(pixels, at * size);
    if (seen === frames.length) for (let rest = at + 1; rest < cut.framesEach; rest++) image.set(pixels, rest * size);
  }
  return images;
}

/** Room for the frames of one image. */
function emptyImage({ frame: { window }, framesEach: frames, seconds }: VideoCut): NativePixels {
  const { width, height } = window;
  const pixels = new Float32Array(frames * 3 * width * height);
  return { pixels, width, height, ...(frames > 1 && { video: { frames, seconds } }) };
}
