import { FoveaError } from "../errors.js";
import type { NativeForwardRequest, NativeForwardResult, NativeImage } from "../native/binding.js";
import { type DepthProfile, depthProfile } from "./depth-profile.js";
import type { ForwardInputs, ForwardOptions, TensorInput } from "./inputs.js";
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

function readImages({ pixel_values: tensor, ...inputs }: ForwardInputs): NativeImage[] {
  if (tensor === undefined) return [];
  checkTensor("pixel_values", tensor, 4);
  const [n = 0, channels, height = 0, width = 0] = tensor.shape;
  if (!(tensor.data instanceof Float32Array)) throw invalid("pixel_values.data must be a Float32Array");
  if (channels !== 3)
    throw invalid(`pixel_values has the shape [${tensor.shape}]; expected [images, 3, height, width]`);
  const size = 3 * height * width;
  const pictures = readPictures(inputs);
  if (pictures === null) {
    return Array.from({ length: n }, (_, i) => ({
      pixels: tensor.data.subarray(i * size, (i + 1) * size),
      width,
      height,
      key: "",
    }));
  }
  const total = pictures.reduce((sum, { tiles }) => sum + tiles, 0);
  if (total !== n) throw invalid(`pixel_values hold ${n} tiles, image_tiles add up to ${total}`);
  let first = 0;
  return pictures.map(({ tiles, ...picture }) => {
    const pixels = tensor.data.subarray(first * size, (first + tiles) * size);
    first += tiles;
    return { pixels, width, height, key: "", picture };
  });
}

/** Size and tiles of each picture, for models that arrange tiles. */
function readPictures({ image_sizes: sizes, image_tiles: tiles }: Omit<ForwardInputs, "pixel_values">) {
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
