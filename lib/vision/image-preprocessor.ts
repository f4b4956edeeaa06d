import type { JsonObject } from "../hub/model-file.js";
import type { PreprocessSpec } from "../native/binding.js";

/** What a model's family does to a decoded image before the vision tower sees it. */
export interface ImagePreprocessor {
  /** Geometry and scaling for an image of this size. `index` is its position in the request, for errors. */
  spec(width: number, height: number, index?: number): PreprocessSpec;
  /** Visual rows that an image of this size takes in the prompt. */
  rows(width: number, height: number): number;
  /** The same for pictures of which the tower sees a smaller square of `share` of its side. */
  smaller(share: number): ImagePreprocessor;
}

/** The JSON files of a model folder that describe its images. */
export interface ImageConfig {
  /** preprocessor_config.json, or "image_processor" of processor_config.json. */
  preprocessor: JsonObject;
  /** processor_config.json; empty for old models. */
  processor: JsonObject;
  /** config.json */
  model: JsonObject;
}
