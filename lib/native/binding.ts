/**
 * The addon's shape, typed by hand: the one seam between TypeScript and C++. Implemented by native/addon/.
 * Errors thrown or rejected here are plain `Error`s whose `code` is a FoveaErrorCode; lib/engine wraps them.
 */

/** What this CPU offers and what Fovea takes of it. */
export interface CpuInfo {
  brand: string;
  /** Instruction sets found, as in "avx2", "avx512bf16", "amx-bf16". */
  features: string[];
  /** The tier that loadModel will use. */
  tier: string;
  /** Every tier that this CPU can run, slowest first. */
  tiers: string[];
  /** Cores this process may use (affinity mask and cgroup quota). */
  cores: number;
}

/** Geometry and scaling of one image: resize, cut a window (zero outside), then value * scale + offset per channel. */
export interface PreprocessSpec {
  /** Size after resizing; null keeps the size. */
  resize: { width: number; height: number } | null;
  filter: "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";
  /** Window of the resized image; left/top may be negative and the window may exceed it: outside is 0 before scaling. */
  window: { left: number; top: number; width: number; height: number };
  /** Per channel, applied to 0..255 values. */
  scale: [number, number, number];
  offset: [number, number, number];
}

/** A picture put into a larger one, and the colour of the rest. */
export interface PadSpec {
  left: number;
  top: number;
  /** Size of the larger one. */
  width: number;
  height: number;
  /** Levels of red, green and blue. */
  fill: [number, number, number];
}

/** Facts of a loaded model. */
export interface NativeModelInfo {
  family: string;
  dtype: string;
  tier: string;
  threads: number;
  parameters: number;
  weightBytes: number;
  /** Whether packed weights were read from the file of `weightCache`, written to it, or could not be; without one, left out. */
  weightCache?: "read" | "written" | "failed";
  contextLength: number;
  vocabSize: number;
  nLayers: number;
  dModel: number;
  nHeads: number;
  nKvHeads: number;
  dHead: number;
  dFf: number;
  /** Decoder layers that convolve where others attend; left out where all attend. */
  convLayers?: number[];
  tower: {
    nLayers: number;
    dModel: number;
    nHeads: number;
    dFf: number;
    /** Of one image in the tower, its class row among them; of a usual one where images differ in size. */
    rows: number;
    imageSize: number;
    patchSize: number;
    hasClassRow: boolean;
    /** Of a video that it sees at once. */
    frames: number;
    /** Whether rows may leave before the projector. */
    isPrunable: boolean;
  };
  /** Multiply-accumulates of the projector for one row. */
  projectorMacsPerRow: number;
  /** Visual rows of one image or tile; of a usual one where images differ in size. */
  imageRows: number;
  imageTokenId: number;
  /** What stands for rows of videos, where they have a token of their own. */
  videoTokenId?: number;
}

/** One image's pixels for the vision tower. */
export interface NativePixels {
  /**
   * (3, height, width), normalised; of a picture whose tiles are arranged as one image (tiles, 3, height, width); of a
   * video (frames, 3, height, width).
   */
  pixels: Float32Array;
  /** Of one tile or frame. */
  width: number;
  height: number;
  /** Of a picture in tiles: its size before preprocessing. */
  picture?: { width: number; height: number };
  /** Of a video: its frames, and seconds from one moment that the tower sees to the next. */
  video?: { frames: number; seconds: number };
}

/** An image of a request. */
export interface NativeImage extends NativePixels {
  /** Names its content and what the plan does to it inside the tower; "": its rows are not cached. */
  key: string;
}

/** How the next token is chosen. */
export interface NativeSampling {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  seed: number;
  /** How many alternatives to report per token; -1: no logprobs at all. */
  logprobs: number;
}

/** A generation. `inputIds` holds one image token per visual row, as transformers' processor writes them. */
export interface NativeGenerateRequest {
  inputIds: Int32Array;
  images: NativeImage[];
  /** A lowered plan (lib/prune/lower.ts) as JSON; "" for none. */
  plan: string;
  sampling: NativeSampling;
  maxTokens: number;
  stopIds: Int32Array;
  /** Report the kept rows of every stage. */
  keepLists: boolean;
  /** Use the KV of earlier requests with the same beginning, and leave its own to later ones. */
  reuse: boolean;
}

/** One forward pass over a batch, for people who measure. */
export interface NativeForwardRequest {
  /** (batch, n_rows) */
  inputIds: Int32Array;
  /** (batch, n_rows), 1 for rows that count */
  attentionMask: Uint8Array;
  batch: number;
  images: NativeImage[];
  plan: string;
  /** How many last rows of each sequence to return logits for; 0: all. */
  logitsToKeep: number;
  /** Return vision features and projected rows too. */
  taps: boolean;
  keepLists: boolean;
  /** Measure what every decoder layer does. */
  depth: boolean;
}

/** Rows of one stage. */
export interface NativeStageReport {
  name: string;
  hook: string;
  /** Decoder layer for the hook "decoder-layer". */
  layer?: number;
  /** Visual rows per image, of stages that act on rows. */
  images: { rowsIn: number; rowsOut: number; kept?: Int32Array }[];
  /**
   * Cached rows per decoder layer, of stages that act on the KV cache; at "decode-step", rowsIn counts the rows that
   * were there when decoding began and those that came since. kept are rows of the prompt, per KV head, or one list
   * for all heads.
   */
  layers?: { rowsIn: number; rowsOut: number; kept?: Int32Array[] }[];
  /** Of a stage over text; kept: rows of the prompt. */
  text?: { rowsIn: number; rowsOut: number; kept?: Int32Array };
}

/** Milliseconds of one request, measured on the engine thread. */
export interface NativeTimings {
  queue: number;
  encode: number;
  prefill: number;
  decode: number;
  /** Of prefill: choosing rows (probes and selections). */
  select: number;
}

/** What self-speculative decoding did. */
export interface NativeDraftReport {
  verifySteps: number;
  drafted: number;
  accepted: number;
  /** What drafts left out at the end of the generation. */
  skipped: { layer: number; part: "attention" | "ffn" }[];
  proposals: number;
  score: number;
}

/** What every decoder layer did to one sequence. */
export interface NativeDepth {
  /** Sums over rows: (n_layers, [text, visual], [attention, ffn, block], [cosine, contribution]). */
  sums: Float64Array;
  /** (n_layers, [text, visual]) */
  rows: Int32Array;
  /** (n_layers + 1, d_model): the stream's last row as it enters each layer, and at the end. */
  lastRow: Float32Array;
}

/** Everything known about a request when it ends. */
export interface NativeEnd {
  finishReason: "stop" | "length" | "cancelled";
  promptRows: number;
  visualRows: number;
  /** Images whose rows an earlier request had left in the cache. */
  cachedImages: number;
  /** Rows of the prompt whose KV an earlier request had left in the cache. */
  cachedRows: number;
  generatedTokens: number;
  stages: NativeStageReport[];
  timings: NativeTimings;
  /** Rows of the prompt that each layer's KV cache holds. */
  kvRows: Int32Array;
  /** With a plan that drafts. */
  draft?: NativeDraftReport;
  /** With a plan that exits early: tokens that stopped after each layer. */
  exitTokens?: Int32Array;
}

/** One sampled token with its log-probability and alternatives if asked for. */
export interface NativeToken {
  id: number;
  logprob?: number;
  top?: { id: number; logprob: number }[];
}

/** Result of NativeForwardRequest. */
export interface NativeForwardResult {
  /** (batch, rows, vocab) */
  logits: Float32Array;
  shape: number[];
  /** (batch, d_model) */
  lastHidden: Float32Array;
  hiddenShape: number[];
  /** Per sequence: the input row of each row of logits. */
  rows: Int32Array[];
  /** (tiles of all images, patches, d_tower) and (n_visual_rows, d_model) when taps was set. */
  visionFeatures?: Float32Array;
  visionShape?: number[];
  projected?: Float32Array;
  projectedShape?: number[];
  stages: NativeStageReport[][];
  /** Per sequence, when depth was set. */
  depth?: NativeDepth[];
}

/** A stage asks which rows of an image matter, and the engine waits for `answer`. As lib/engine/custom-rows.ts. */
export interface NativeAsk {
  use: string;
  /** A number per row is wanted; otherwise the rows that stay, ascending. */
  scores: boolean;
  image: number;
  layer?: number;
  columns: number;
  /** Of a picture in tiles, whose rows begin at `first` and lie in lines of so many. */
  grid?: { first: number; columns: number };
  /** Of a video: the rows of each moment. */
  momentRows?: number;
  width: number;
  /** (count, width) */
  rows: Float32Array;
  /** (count) */
  places: Int32Array;
  /** (text rows, width) */
  text: Float32Array;
}

/** What the engine thread tells JavaScript; delivered in batches by the doorbell. */
export type NativeEvent =
  | { request: number; kind: "tokens"; tokens: NativeToken[] }
  | { request: number; kind: "end"; end: NativeEnd }
  | { request: number; kind: "forward"; result: NativeForwardResult }
  | { request: number; kind: "ask"; ask: NativeAsk }
  | { request: number; kind: "progress"; fraction: number }
  | { request: number; kind: "error"; code: string; message: string };

/** A model with its own engine thread and compute pool. */
export interface NativeModel {
  info(): NativeModelInfo;
  /** Queue a request; events carry the number that is returned. */
  generate(request: NativeGenerateRequest): number;
  forward(request: NativeForwardRequest): number;
  /** Stop within one layer or token; an `end` with "cancelled" follows unless the request has ended. */
  cancel(request: number): void;
  /** To the request's last question; ignored when it asks nothing (any more). */
  answer(request: number, values: Float64Array): void;
  /** Stops the engine thread, fails what is queued, frees the memory. Idempotent. */
  dispose(): Promise<void>;
}

/** What a pair of GGUF files says of a model. */
export interface NativeGguf {
  /** What a config.json would hold. */
  config: Record<string, unknown>;
  /** The metadata of each file, by key. */
  decoder: Record<string, unknown>;
  mmproj: Record<string, unknown>;
}

/** The addon. */
export interface NativeBinding {
  cpuInfo(): CpuInfo;
  /** Must be called once per environment before the first load. */
  listen(onEvents: (events: NativeEvent[]) => void): void;
  /** `progress` events carry the number. `path`: a Hugging Face folder, or a GGUF file; only for that `mmproj` is not "". */
  load(
    path: string,
    options: {
      mmproj: string;
      dtype: "auto" | "f32" | "bf16" | "f16" | "int8" | "int4";
      threads: number;
      imageCacheBytes: number;
      kvCacheBytes: number;
      /** The file of packed weights to read, or to write where there is none; or "". */
      weightCache: string;
    },
  ): { request: number; model: Promise<NativeModel> };
  /** Reads the headers of a GGUF decoder and its mmproj, on a worker thread. */
  readGguf(decoder: string, mmproj: string): Promise<NativeGguf>;
  /** Makes a running load fail within one tensor. */
  cancelLoad(request: number): void;
  /** rgb (height, width, 3) of bytes to (spec.height, spec.width, 3) of bytes, on a worker thread. */
  pad(rgb: Uint8Array, width: number, height: number, spec: PadSpec): Promise<Uint8Array<ArrayBuffer>>;
  /** rgb (height, width, 3) of bytes to (size.height, size.width, 3) of bytes, on a worker thread. */
  resize(
    rgb: Uint8Array,
    width: number,
    height: number,
    size: { width: number; height: number; filter: PreprocessSpec["filter"] },
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** rgb (height, width, 3) of bytes to (3, window.height, window.width) of f32, on a worker thread. */
  preprocess(rgb: Uint8Array, width: number, height: number, spec: PreprocessSpec): Promise<Float32Array>;
}
