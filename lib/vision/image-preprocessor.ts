import type { JsonObject } from "../hub/model-file.js";
import type { PadSpec, PreprocessSpec } from "../native/binding.js";
import type { PictureLimit } from "../prune/picture-limit.js";
import type { VideoPreprocessor } from "./video-preprocessor.js";

/** Width and height in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** What a picture becomes: first it is padded and resized, once or several times, then cut into what the tower sees. */
export interface PictureCut {
  /** A larger size that the picture is put into at this place, the rest filled with a colour. */
  pad?: PadSpec;
  /** Sizes that the whole picture takes one after another, rounded to bytes each time, by the filter of the tiles. */
  resizes: Size[];
  /** The tower's images, in the order of their rows in the prompt: tiles of the picture after `resizes`. */
  tiles: (PreprocessSpec & {
    /** Cut out of the picture as it was before `resizes`. */
    isUnresized?: true;
  })[];
  /** The tiles are arranged as one image with one number of rows; otherwise each is an image of its own. */
  isOneImage?: true;
}

/** How a chat template marks a picture, where there is more to it than the image token. */
export interface PictureMark {
  /** The token that it writes. */
  token: number;
  /**
   * What stands there instead before the prompt is tokenised: text, and ids for the text of tokens, the image token
   * among them. Text around a picture is part of the text beside it, with which it may share tokens.
   */
  text?: (string | number)[];
}

/** What a model's family does to a decoded image before the vision tower sees it. */
export interface ImagePreprocessor {
  /** Of families whose templates mark pictures in their own way, or write them before the first token. */
  mark?: PictureMark;
  /** Geometry and scaling for an image of this size. `index` is its position in the request, for errors. */
  cut(width: number, height: number, index?: number): PictureCut;
  /**
   * What an image's placeholder becomes in the prompt: text, which may hold special tokens, and numbers of visual rows,
   * one for each image.
   */
  placeholder(width: number, height: number): (string | number)[];
  /** The same for a prompt of so many pictures, where their number matters. */
  among?(pictures: number): ImagePreprocessor;
  /**
   * The same for pictures that are held to a limit, as the model's own processor would with a smaller setting.
   *
   * @throws FoveaError ERR_FOVEA_PLAN, where the limit has no meaning for this family.
   */
  within(limit: PictureLimit): ImagePreprocessor;
  /** What it does to videos, where the family takes them. */
  video?: VideoPreprocessor;
}

/** The JSON files of a model folder that describe its images. */
export interface ImageConfig {
  /** preprocessor_config.json, or "image_processor" of processor_config.json. */
  preprocessor: JsonObject;
  /** "video_processor" of processor_config.json, video_preprocessor_config.json, or as `preprocessor`. */
  video: JsonObject;
  /** processor_config.json; empty for old models. */
  processor: JsonObject;
  /** config.json */
  model: JsonObject;
}
