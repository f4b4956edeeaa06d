import { FoveaError } from "../errors.js";
import type { NativeForwardRequest, NativeForwardResult, NativeImage } from "../native/binding.js";
import type { Size } from "../vision/image-preprocessor.js";
import { type DepthProfile, depthProfile } from "./depth-profile.js";
import type { ForwardInputs, ForwardOptions, ModelInputs, TensorInput } from "./inputs.js";
import type { StageReport } from "./reply.js";

/** What `Model.forward` returns. */
export interface ForwardResult {
  /** (batch, rows, vocab) */
  logits: TensorInput<Float32Array>;
  /** (batch, d_model): the last row of each sequence after the final norm, which is what its logits are made of. */
  lastHidden: TensorInput<Float32Array>;
  /** Per sequence: the input row of each row of logits, -1 where there is none. */
  rows: Int32Array[];
  /** Per sequence. */
  stages: StageReport[][];
  /** (images, rows per image, features), with `taps`; of models that arrange tiles (tiles, rows per tile, features). */
  visionFeatures?: TensorInput<Float32Array>;
  /** (images, rows per image, d_model), with `taps`; (1, rows, d_model) where images have different numbers of rows. */
  projected?: TensorInput<Float32Array>;
  /** Per sequence: what every decoder layer did, with `depth`. */
  depth?: DepthProfile[];
}

/** Checks the inputs' types and shapes and lays them out for the addon, with an empty plan. */
export function readForward(inputs: ForwardInputs, options: ForwardOptions): NativeForwardRequest {
  const ids = inputs.input_ids;
  checkTensor("input_ids", ids, 2);
  const mask = inputs.attention_mask;
  if (mask !== undefined) {
    checkTensor("attention_mask", mask, 2);
    if (mask.data.length !== ids.data.length) throw invalid("attention_mask must have the shape of input_ids");
  }
  return {
    inputIds: toInt32("input_ids", ids.data),
    attentionMask: mask === undefined ? new Uint8Array(ids.data.length).fill(1) : toMask(mask.data),
    batch: ids.shape[0] as number,
    images: readImages(inputs),
    plan: "",
    logitsToKeep: options.logitsToKeep ?? 0,
    taps: options.taps ?? false,
    keepLists: options.keepLists ?? false,
    depth: options.depth ?? false,
  };
}

/** Gives the addon's arrays their shapes. */
export function readForwardResult(result: NativeForwardResult): ForwardResult {
  const {
    logits,
    shape,
    lastHidden,
    hiddenShape,
    rows,
    stages,
    visionFeatures,
    visionShape,
    projected,
    projectedShape,
    depth,
  } = result;
  return {
    logits: { data: logits, shape },
    lastHidden: { data: lastHidden, shape: hiddenShape },
    rows,
    stages,
    ...(visionFeatures && visionShape && { visionFeatures: { data: visionFeatures, shape: visionShape } }),
    ...(projected && projectedShape && { projected: { data: projected, shape: projectedShape } }),
    ...(depth && { depth: depth.map(depthProfile) }),
  };
}

function checkTensor(name: string, tensor: unknown, rank: number): asserts tensor is TensorInput {
  const { data, shape } = (tensor ?? {}) as { data?: unknown; shape?: unknown };
  const isShape = Array.isArray(shape) && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (!ArrayBuffer.isView(data) || data instanceof DataView || !isShape || shape.length !== rank) {
    throw invalid(`${name} must be {data: a typed array, shape: ${rank} sizes}`);
  }
  const elements = shape.reduce((product, dim) => product * dim, 1);
  const { length } = data as Int32Array;
  if (elements !== length) throw invalid(`${name} has ${length} elements, but its shape [${shape}] means ${elements}`);
}

/** The images of a request, one by one. */
export function readImages({ pixel_values: tensor, pixel_sizes: sizes, ...inputs }: ModelInputs): NativeImage[] {
  if (tensor === undefined) return [];
  checkTensor("pixel_values", tensor, sizes === undefined ? 4 : 1);
  if (!(tensor.data instanceof Float32Array)) throw invalid("pixel_values.data must be a Float32Array");
  const sides = readSizes(tensor, sizes);
  const pictures = readPictures(inputs);
  const videos = readVideos(inputs, sides.length);
  const tiles = pictures?.map((picture) => picture.tiles) ?? sides.map(() => 1);
  const total = tiles.reduce((sum, count) => sum + count, 0);
  if (total !== sides.length) throw invalid(`pixel_values hold ${sides.length} tiles, image_tiles add up to ${total}`);
  let first = 0;
  let at = 0;
  const images = tiles.map((count, i) => {
    const { width, height } = sides[first] as Size; // tiles are of one size
    const video = videos?.[i];
    const size = 3 * height * width * count * (video?.frames ?? 1);
    const pixels = tensor.data.subarray(at, at + size);
    first += count;
    at += size;
    const picture = pictures?.[i];
    return {
      pixels,
      width,
      height,
      key: "",
      ...(picture && { picture: { width: picture.width, height: picture.height } }),
      ...(video && video.frames > 1 && { video }),
    };
  });
  if (at === tensor.data.length) return images;
  throw invalid(`pixel_values has ${tensor.data.length} numbers; the images of pixel_sizes have ${at}`);
}

function readSizes({ shape }: TensorInput, sizes: TensorInput<Int32Array> | undefined): Size[] {
  if (sizes === undefined) {
    const [n = 0, channels, height = 0, width = 0] = shape;
    if (channels !== 3) throw invalid(`pixel_values has the shape [${shape}]; expected [images, 3, height, width]`);
    return Array.from({ length: n }, () => ({ width, height }));
  }
  checkTensor("pixel_sizes", sizes, 2);
  const { data } = sizes;
  const isSize = data instanceof Int32Array && sizes.shape[1] === 2 && data.every((side) => side > 0);
  if (!isSize) throw invalid("pixel_sizes must hold height and width of each image, above 0, as an Int32Array");
  return Array.from({ length: data.length / 2 }, (_, i) => ({
    height: data[2 * i] as number,
    width: data[2 * i + 1] as number,
  }));
}

/** Size and tiles of each picture, for models that arrange tiles. */
function readPictures({ image_sizes: sizes, image_tiles: tiles }: Pick<ModelInputs, "image_sizes" | "image_tiles">) {
  if (sizes === undefined && tiles === undefined) return null;
  checkTensor("image_sizes", sizes, 2);
  checkTensor("image_tiles", tiles, 1);
  const [sides, counts] = [toInt32("image_sizes", sizes.data), toInt32("image_tiles", tiles.data)];
  if (sizes.shape[1] !== 2 || sizes.shape[0] !== counts.length) {
    throw invalid(`image_sizes has the shape [${sizes.shape}]; expected [${counts.length}, 2], as image_tiles`);
  }
  return Array.from(counts, (tiles, i) => {
    if (tiles < 1) throw invalid(`image_tiles holds ${tiles}; expected at least 1 tile of each picture`);
    return { tiles, height: sides[2 * i] as number, width: sides[2 * i + 1] as number };
  });
}

/** Frames and seconds of each image, where some are of videos. */
function readVideos(
  { image_frames: frames, second_per_grid_ts: seconds }: Pick<ModelInputs, "image_frames" | "second_per_grid_ts">,
  images: number,
) {
  if (frames === undefined && seconds === undefined) return null;
  checkTensor("image_frames", frames, 1);
  const counts = toInt32("image_frames", frames.data);
  if (seconds !== undefined) checkTensor("second_per_grid_ts", seconds, 1);
  for (const [name, { length }] of [
    ["image_frames", counts],
    ["second_per_grid_ts", seconds?.data ?? counts],
  ] as const) {
    if (length !== images) throw invalid(`${name} has ${length} numbers for ${images} images`);
  }
  return Array.from(counts, (count, i) => {
    if (count < 1) throw invalid(`image_frames holds ${count}; expected at least 1 frame of each image`);
    return { frames: count, seconds: Number(seconds?.data[i] ?? 0) };
  });
}

function toInt32(name: string, data: TensorInput["data"]): Int32Array {
  if (data instanceof Int32Array) return data;
  if (!(data instanceof BigInt64Array)) throw invalid(`${name}.data must be an Int32Array or a BigInt64Array`);
  // Numbers beyond 32 bits must not wrap around into the vocabulary.
  return Int32Array.from(data, (id) => (BigInt.asIntN(32, id) === id ? Number(id) : -1));
}

function toMask(data: ArrayLike<number | bigint>): Uint8Array {
  return Uint8Array.from(data as ArrayLike<number>, (value) => (Number(value) === 0 ? 0 : 1));
}

function invalid(message: string): FoveaError {
  return new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${message}.`);
}
