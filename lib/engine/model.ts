import { checkOptions } from "../check-options.js";
import { FoveaError, type FoveaErrorCode } from "../errors.js";
import type {
  NativeEvent,
  NativeForwardRequest,
  NativeGenerateRequest,
  NativeModel,
  NativeModelInfo,
  NativePixels,
  PreprocessSpec,
} from "../native/binding.js";
import type { PromptShape } from "../prune/budget/cost-facts.js";
import type { CostModel } from "../prune/budget/cost-model.js";
import type { PhaseMs } from "../prune/budget/measure-costs.js";
import { planSolver } from "../prune/budget/solve-plan.js";
import type { PlanFacts } from "../prune/method.js";
import type { PictureLimit } from "../prune/picture-limit.js";
import type { LoweredPlan, Plan, PlanStage } from "../prune/plan.js";
import { pictureLimit, requireLimit } from "../prune/plan-limit.js";
import { encodeChat } from "../text/encode-chat.js";
import { expandImages } from "../text/expand-images.js";
import { insertVideos } from "../text/insert-videos.js";
import { type Message, parseMessages } from "../text/messages.js";
import type { ImageInput } from "../vision/image-input.js";
import { joinTiles, prepareImages } from "../vision/prepare-images.js";
import { type ChosenVideo, chooseFrames } from "../vision/prepare-video.js";
import { budgetReport } from "./budget-report.js";
import { CostMeter } from "./cost-meter.js";
import { answerCustom, checkCustom, type RowFunction } from "./custom-rows.js";
import { type EventHub, endsRequest } from "./event-hub.js";
import { EventQueue } from "./event-queue.js";
import { type ForwardResult, readForward, readForwardResult } from "./forward.js";
import { type GenerateOptions, readMaxTokens, readSampling, readStops } from "./generate-options.js";
import { imageKey } from "./image-key.js";
import type { ForwardInputs, ForwardOptions, ModelInputs } from "./inputs.js";
import { momentsOf } from "./moments-of.js";
import { onAbort } from "./on-abort.js";
import type { Reply, StreamEvent } from "./reply.js";
import { shareRows } from "./share-rows.js";
import type { TextIo } from "./text-io.js";
import { Transcript } from "./transcript.js";

/** Facts of a loaded model. */
export interface ModelInfo extends NativeModelInfo {
  /** The folder, or the GGUF file, that it was loaded from. */
  path: string;
  /** Of a GGUF model: the file of its vision tower and projector. */
  mmproj?: string;
}

/** A prompt in rows. */
interface Prompt {
  inputIds: Int32Array;
  images: NativePixels[];
  shape: PromptShape;
}

/** A loaded vision-language model. Requests may overlap: the engine decodes them together. */
export class Model {
  /** Facts of the model. */
  readonly info: ModelInfo;
  readonly #native: NativeModel;
  readonly #hub: EventHub;
  readonly #textIo: () => TextIo;
  readonly #meter: CostMeter;
  #isDisposed = false;

  /** @internal Use `loadModel`. */
  constructor(files: Pick<ModelInfo, "path" | "mmproj">, native: NativeModel, hub: EventHub, textIo: () => TextIo) {
    this.info = { ...native.info(), ...files };
    this.#native = native;
    this.#hub = hub;
    this.#textIo = textIo;
    this.#meter = new CostMeter(this.info, () => hub.binding.cpuInfo().brand, this.#probe.bind(this));
  }

  /**
   * Answers a conversation.
   *
   * @example
   * const { text, usage } = await model.generate({
   *   messages: [{ role: "user", content: "What is at the top left?" }],
   *   images: ["scene.png"],
   *   plan: { stages: [{ method: "divPrune", keep: 0.25 }] },
   * });
   * @throws FoveaError, or the signal's reason when it was aborted.
   */
  async generate(options: GenerateOptions): Promise<Reply> {
    for await (const event of this.stream(options)) {
      if (event.type === "generation-end") return event.reply;
    }
    throw new FoveaError("ERR_FOVEA_INTERNAL", "A stream ended without a reply.");
  }

  /**
   * Answers a conversation piece by piece. Leaving the loop stops the generation.
   *
   * @example
   * for await (const event of model.stream({ messages, images })) {
   *   if (event.type === "text-delta") process.stdout.write(event.text);
   * }
   * @throws FoveaError, or the signal's reason when it was aborted.
   */
  async *stream(options: GenerateOptions): AsyncGenerator<StreamEvent, void, undefined> {
    const start = performance.now();
    checkOptions(options);
    const { signal } = options;
    this.#check(signal);
    const io = this.#textIo();
    const solve = planSolver(options.plan, this.#facts());
    const transcript = new Transcript(io.tokenizer, readStops(options));
    const sampling = readSampling(options);
    const maxTokens = readMaxTokens(options, io.maxTokens);
    const limit = pictureLimit(options.plan, this.info);
    const { shape, ...prompt } = await this.#prompt(io, options.messages, options.images, limit, signal);
    const { lowered: plan, budget } = await solve(shape, (stages) => this.#meter.get(stages, signal));
    requireLimit(plan, limit);
    checkCustom(plan, options.custom);
    const { cache = true } = options;
    const images = await Promise.all(
      prompt.images.map(async (image) => ({ ...image, key: cache ? await imageKey(image, plan) : "" })),
    );
    this.#check(signal);
    const preprocess = performance.now() - start;
    const request: NativeGenerateRequest = {
      inputIds: prompt.inputIds,
      images,
      plan: nativePlan(plan),
      sampling,
      maxTokens,
      stopIds: io.stopIds,
      keepLists: options.keepLists ?? false,
      reuse: cache,
    };
    const events = this.#run((native) => native.generate(request), options);
    for await (const event of events) {
      if (event.kind === "tokens") {
        const delta = transcript.add(event.tokens);
        if (delta !== null) yield { type: "text-delta", ...delta };
        if (transcript.isStopped) events.cancel();
      } else if (event.kind === "end") {
        const { end } = event;
        if (end.finishReason === "cancelled" && !transcript.isStopped) throw disposed();
        const rest = transcript.finish();
        if (rest !== null) yield { type: "text-delta", ...rest };
        const total = performance.now() - start;
        const reply = transcript.reply(end, plan, { preprocess, total });
        if (budget !== undefined) reply.usage.budget = budgetReport(budget, reply, shape, this.info);
        yield { type: "generation-end", reply };
      }
    }
  }

  /**
   * One forward pass, for people who measure. Without rows dropped, logits are (batch, rows, vocab) as in
   * transformers; otherwise (batch, most rows left, vocab), where `rows` tells which input row each belongs to.
   *
   * @example
   * const { logits } = await model.forward(await model.process(messages));
   * @throws FoveaError, or the signal's reason when it was aborted.
   */
  async forward(inputs: ForwardInputs, options: ForwardOptions = {}): Promise<ForwardResult> {
    checkOptions(options);
    this.#check(options.signal);
    checkOptions(inputs, "inputs");
    const solve = planSolver(inputs.plan, this.#facts());
    const request = readForward(inputs, options);
    const { lowered } = await solve(this.#shapeOf(request), (stages) => this.#meter.get(stages, options.signal));
    checkCustom(lowered, options.custom);
    this.#check(options.signal);
    request.plan = nativePlan(lowered);
    for await (const event of this.#run((native) => native.forward(request), options)) {
      if (event.kind === "forward") return readForwardResult(event.result);
    }
    throw disposed();
  }

  /**
   * Turns messages into the inputs of `forward`, as transformers' processor would. Give it the plan too if that makes
   * pictures smaller.
   *
   * @throws FoveaError
   */
  async process(
    messages: Message[],
    options: { images?: ImageInput[]; plan?: Plan; signal?: AbortSignal } = {},
  ): Promise<ModelInputs> {
    checkOptions(options);
    this.#check(options.signal);
    const limit = pictureLimit(options.plan, this.info);
    const { inputIds, images } = await this.#prompt(this.#textIo(), messages, options.images, limit, options.signal);
    const shape = [1, inputIds.length];
    const inputs: ModelInputs = {
      input_ids: { data: inputIds, shape },
      attention_mask: { data: new Int32Array(inputIds.length).fill(1), shape },
    };
    const [first] = images;
    if (first === undefined) return inputs;
    const data = joinTiles(images).pixels;
    if (first.picture !== undefined) {
      const tiles = images.map(tilesOf);
      const n = tiles.reduce((sum, count) => sum + count, 0);
      const sizes = images.flatMap(({ picture }) => [picture?.height ?? 0, picture?.width ?? 0]);
      return {
        ...inputs,
        pixel_values: { data, shape: [n, 3, first.height, first.width] },
        image_sizes: { data: Int32Array.from(sizes), shape: [images.length, 2] },
        image_tiles: { data: Int32Array.from(tiles), shape: [images.length] },
      };
    }
    const isVideo = images.some(({ video }) => video !== undefined);
    const isOneSize = images.every(({ width, height }) => width === first.width && height === first.height);
    if (isOneSize && !isVideo)
      return { ...inputs, pixel_values: { data, shape: [images.length, 3, first.height, first.width] } };
    const sizes = Int32Array.from(images.flatMap(({ width, height }) => [height, width]));
    return {
      ...inputs,
      pixel_values: { data, shape: [data.length] },
      pixel_sizes: { data: sizes, shape: [images.length, 2] },
      ...(isVideo && {
        image_frames: {
          data: Int32Array.from(images, ({ video }) => video?.frames ?? 1),
          shape: [images.length],
        },
        second_per_grid_ts: {
          data: Float32Array.from(images, ({ video }) => video?.seconds ?? 0),
          shape: [images.length],
        },
      }),
    };
  }

  /** @internal How a level of 0 to 255 becomes a number of `pixel_values`, by channel: times scale plus offset. */
  pixelScaling(): Pick<PreprocessSpec, "scale" | "offset"> {
    const { imageSize } = this.info.tower;
    const [tile] = this.#textIo().preprocessor.cut(imageSize, imageSize).tiles; // all are scaled alike
    return tile as PreprocessSpec;
  }

  /**
   * What requests take on this machine, measured once: some forward passes over made-up images, a second or so for a
   * small model. It is kept in the folder FOVEA_CACHE, by default the user's cache folder. Budgets in milliseconds ask
   * for it by themselves; call it first where the first request should not wait, and nothing else runs.
   *
   * @param options.stages - also measure how long these take to choose rows.
   * @param options.again - measure anew: the machine was busy the last time.
   * @throws FoveaError, or the signal's reason when it was aborted.
   */
  async costModel(options: { stages?: PlanStage[]; again?: boolean; signal?: AbortSignal } = {}): Promise<CostModel> {
    checkOptions(options);
    this.#check(options.signal);
    const { stages = [], again = false, signal } = options;
    return this.#meter.get(stages, signal, again);
  }

  /** Stops what is running, which fails with ERR_FOVEA_DISPOSED, and frees the memory. May be called twice. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#native.dispose();
  }

  /** `await using model = await loadModel(…)` */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #facts(): ModelInfo & PlanFacts {
    return { ...this.info, specialTokens: this.#specialTokens() };
  }

  /** None of a folder whose tokenizer cannot be read: what needs text fails there anyway. */
  #specialTokens(): number[] {
    try {
      return [...this.#textIo().tokenizer.specialIds];
    } catch {
      return [];
    }
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#isDisposed) throw disposed();
  }

  async #prompt(
    io: TextIo,
    messages: Message[],
    images: ImageInput[] | undefined,
    limit: PictureLimit,
    signal: AbortSignal | undefined,
  ): Promise<Prompt> {
    const { contextLength, family, imageTokenId, videoTokenId } = this.info;
    const parsed = parseMessages(messages, { images });
    const preprocessor = io.preprocessor.within(limit);
    const media: Parameters<typeof prepareImages>[0][number][] = [];
    const videos: ChosenVideo[] = [];
    for (const medium of parsed.media) {
      signal?.throwIfAborted();
      if ("image" in medium) {
        media.push(medium.image);
      } else {
        videos.push(await chooseFrames(medium.video, preprocessor, videos.length, family));
        media.push(videos.at(-1) as ChosenVideo);
      }
    }
    const written = insertVideos(parsed.messages, videos);
    const ids = encodeChat(io.tokenizer, io.template, written, { maxTokens: contextLength, mark: preprocessor.mark });
    const prepared = await prepareImages(media, preprocessor, this.#hub.binding, { signal, maxRows: contextLength });
    this.#check(signal);
    const { placeholders, images: pixels } = prepared;
    const markers = videoTokenId === undefined ? [imageTokenId] : [imageTokenId, videoTokenId];
    const inputIds = expandImages(ids, markers, placeholders, (text) =>
      io.tokenizer.encode(text, { addSpecialTokens: false }),
    );
    const rows = placeholders.flat().filter((part) => typeof part === "number");
    const visualRows = rows.reduce((sum, n) => sum + n, 0);
    return {
      inputIds,
      images: pixels,
      shape: { ...this.#tilesOf(pixels), textRows: inputIds.length - visualRows, images: rows },
    };
  }

  /** Of all sequences together. */
  #shapeOf({ inputIds, attentionMask, images }: NativeForwardRequest): PromptShape {
    const counted = inputIds.filter((_, row) => attentionMask[row] === 1);
    const { imageTokenId, videoTokenId, tower } = this.info;
    const visualRows = counted.filter((id) => id === imageTokenId || id === videoTokenId).length;
    return {
      ...this.#tilesOf(images),
      textRows: counted.length - visualRows,
      images: shareRows(visualRows, images, tower.frames),
    };
  }

  /** The tiles of images that are arranged from some, or the moments of videos. */
  #tilesOf(images: readonly NativePixels[]): Pick<PromptShape, "tiles" | "moments"> {
    if (images.some(({ picture }) => picture !== undefined)) return { tiles: images.map(tilesOf) };
    if (images.every(({ video }) => video === undefined)) return {};
    return { moments: images.map((image) => momentsOf(image, this.info.tower.frames)) };
  }

  /** Milliseconds of a made-up prompt up to its first token. */
  async #probe({ textRows, images }: PromptShape, plan: LoweredPlan, signal?: AbortSignal): Promise<PhaseMs> {
    const { imageTokenId, tower } = this.info;
    const visualRows = images.reduce((sum, n) => sum + n, 0);
    const inputIds = new Int32Array(textRows + visualRows).fill(imageTokenId === 0 ? 1 : 0);
    const before = textRows > 1 ? 1 : 0; // and the rest of the text behind the images, where a question would be
    inputIds.fill(imageTokenId, before, before + visualRows);
    const image = noise(tower.imageSize);
    const request: NativeGenerateRequest = {
      inputIds,
      images: images.map(() => ({ ...image, key: "" })),
      plan: nativePlan(plan),
      sampling: readSampling({ messages: [], seed: 0 }),
      maxTokens: 1,
      stopIds: new Int32Array(),
      keepLists: false,
      reuse: false,
    };
    for await (const event of this.#run((native) => native.generate(request), { signal })) {
      if (event.kind === "end" && event.end.finishReason !== "cancelled") return event.end.timings;
    }
    throw disposed();
  }

  /**
   * The events of one request. Leaving the loop, or an abort, cancels it; an abort is noticed at once. Questions are
   * answered on the way.
   */
  #run(
    submit: (native: NativeModel) => number,
    { signal, custom }: { signal?: AbortSignal | undefined; custom?: Record<string, RowFunction> },
  ): AsyncIterable<NativeEvent> & { cancel(): void } {
    const queue = new EventQueue<NativeEvent>();
    const request = this.#hub.request(
      () => submit(this.#native),
      (event) => queue.push(event),
    );
    const native = this.#native;
    const cancel = () => native.cancel(request);
    async function* events(): AsyncGenerator<NativeEvent, void, undefined> {
      const stopListening = onAbort(signal, () => {
        cancel();
        queue.fail(signal?.reason);
      });
      try {
        signal?.throwIfAborted();
        for (;;) {
          for (const event of await queue.next()) {
            signal?.throwIfAborted(); // the reader may have aborted while it held the event before
            if (event.kind === "error") throw new FoveaError(event.code as FoveaErrorCode, event.message);
            if (event.kind === "ask") native.answer(request, answerCustom(event.ask, custom));
            else yield event;
            if (endsRequest(event)) return;
          }
        }
      } finally {
        stopListening();
        cancel();
      }
    }
    return Object.assign(events(), { cancel });
  }
}

/** How many tiles an image is arranged from. */
function tilesOf({ pixels, width, height }: NativePixels): number {
  return pixels.length / (3 * width * height);
}

/** A picture that looks like nothing, the same every time. */
function noise(edge: number): NativePixels {
  const pixels = Float32Array.from({ length: 3 * edge ** 2 }, (_, i) => ((i * 2_654_435_761) % 65_536) / 32_768 - 1);
  return { pixels, width: edge, height: edge };
}

function nativePlan(plan: LoweredPlan): string {
  const { stages, skip, draft, exit } = plan;
  const isEmpty = stages.length === 0 && skip.length === 0 && draft === undefined && exit === undefined;
  return isEmpty ? "" : JSON.stringify(plan);
}

function disposed(): FoveaError {
  return new FoveaError("ERR_FOVEA_DISPOSED", "The model was disposed. Load it again.");
}
