import type { Plan } from "../prune/plan.js";
import type { RowFunction } from "./custom-rows.js";

/** Numbers with a shape. */
export interface TensorInput<Data = Int32Array | BigInt64Array | Uint8Array | Float32Array> {
  data: Data;
  shape: number[];
}

/** What transformers' processors return, by its own names and shapes. */
export interface ModelInputs {
  /** (batch, rows): one image token per visual row. */
  input_ids: TensorInput<Int32Array | BigInt64Array>;
  /** (batch, rows): 1 for rows that count; default all. */
  attention_mask?: TensorInput<Int32Array | BigInt64Array | Uint8Array>;
  /**
   * (images, 3, height, width), normalised; (numbers) with `pixel_sizes`; of models that arrange a picture's tiles as one
   * image (tiles, 3, height, width).
   */
  pixel_values?: TensorInput<Float32Array>;
  /**
   * (images, 2): height and width of each image, where they differ. Then pixel_values holds (3, height, width) of one
   * image after another.
   */
  pixel_sizes?: TensorInput<Int32Array>;
  /** (pictures, 2), of models that arrange tiles: height and width of each picture before preprocessing. */
  image_sizes?: TensorInput<Int32Array | BigInt64Array>;
  /** (pictures), of models that arrange tiles: how many of pixel_values are of each picture. transformers works them out. */
  image_tiles?: TensorInput<Int32Array | BigInt64Array>;
  /** (images), where some are of videos: how many frames each has, 1 for a picture. Needs `pixel_sizes`. */
  image_frames?: TensorInput<Int32Array | BigInt64Array>;
  /** (images): of videos, seconds from one moment that the tower sees to the next, for models that place rows by them. */
  second_per_grid_ts?: TensorInput<Float32Array>;
}

/** Inputs of `Model.forward`. */
export interface ForwardInputs extends ModelInputs {
  /** Rows to drop and sub-layers to skip. */
  plan?: Plan | undefined;
}

/** Options of `Model.forward`. */
export interface ForwardOptions {
  /** Logits of only the last so many rows of each sequence, as in transformers' `logits_to_keep`; 0, the default: all. */
  logitsToKeep?: number;
  /** Return the tower's features and the projected rows too. */
  taps?: boolean;
  /** Report which rows every stage kept. */
  keepLists?: boolean;
  /** Measure what every decoder layer does to the rows. */
  depth?: boolean;
  /** Functions that stages `custom` of the plan ask, by name. */
  custom?: Record<string, RowFunction>;
  /** Stops the pass within one layer. */
  signal?: AbortSignal;
}
