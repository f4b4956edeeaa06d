import { FoveaError } from "../errors.js";
import type { NativeAsk } from "../native/binding.js";
import { isCacheStage, type LoweredPlan } from "../prune/plan.js";

/** What a function of yours is shown: the rows of one image as they enter the stage. */
export interface ImageRows {
  /** Number of the image in the prompt, from 0. */
  image: number;
  /** Decoder layer that the rows are about to enter; none before the decoder. */
  layer?: number;
  /** Numbers per row. */
  width: number;
  /** (count, width), row after row. */
  rows: Float32Array;
  /** (count) where each row stood among the image's rows before anything was dropped; row by row through the picture. */
  places: Int32Array;
  /** Rows of the picture side by side before anything was dropped: place / columns is how far down, the rest how far right. */
  columns: number;
  /**
   * Of a picture that is seen as a whole and once more in tiles: the places from `first` on are those of the tiles, in
   * lines of so many rows; the last row of a line is the newline.
   */
  grid?: { first: number; columns: number };
  /** Of a video in one image: rows of each moment that the tower saw; place / momentRows is which, the rest where in it. */
  momentRows?: number;
  /** (text rows, width): the rows of the prompt that belong to no image. */
  text: Float32Array;
}

/**
 * Says which rows of an image matter. For a stage `custom` with `keep` or `count`: a finite number per row, the highest
 * stay. Without: the rows that stay, counted from 0 within `rows`, in any order. It runs on the event loop while the
 * model waits, so it must be quick, and must not return a promise.
 */
export type RowFunction = (rows: ImageRows) => ArrayLike<number>;

/** Refuses a plan that asks functions which the request does not give, before anything runs. */
export function checkCustom(plan: LoweredPlan, custom: unknown): void {
  for (const step of plan.stages.flatMap((stage) => (isCacheStage(stage) ? [] : stage.steps))) {
    if (!("by" in step) || step.by !== "custom") continue;
    const known = typeof custom === "object" && custom !== null && Object.hasOwn(custom, step.use);
    if (!known || typeof (custom as Record<string, unknown>)[step.use] !== "function") {
      throw new FoveaError(
        "ERR_FOVEA_PLAN",
        `The plan asks a function "${step.use}"; give it with the request, as custom: { ${JSON.stringify(step.use)}: (rows) => … }.`,
      );
    }
  }
}

/** What `custom` answers to a question of the engine, checked: scores, or ascending rows. */
export function answerCustom(
  { use, scores, ...shown }: NativeAsk,
  custom: Record<string, RowFunction> | undefined,
): Float64Array {
  const count = shown.places.length;
  const answer: unknown = custom?.[use]?.(shown);
  const expected = scores ? `${count} finite scores, one per row` : `different whole numbers from 0 to ${count - 1}`;
  const refuse = (got: string) =>
    new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `custom.${use} returned ${got}; expected ${expected}.`);
  if (!isNumbers(answer))
    throw refuse(answer instanceof Promise ? "a promise" : `${typeof answer}, no list of numbers`);
  if (scores ? answer.length !== count : answer.length > count) throw refuse(`${answer.length} numbers`);
  const numbers = Float64Array.from(answer);
  if (!scores) numbers.sort();
  const isWrong = scores
    ? (value: number) => !Number.isFinite(Math.fround(value))
    : (value: number, i: number) => !Number.isInteger(value) || value < 0 || value >= count || value === numbers[i - 1];
  const wrong = numbers.find(isWrong);
  if (wrong !== undefined) throw refuse(`${wrong}`);
  return numbers;
}

function isNumbers(value: unknown): value is ArrayLike<number> {
  if (ArrayBuffer.isView(value)) return "length" in value && typeof (value as Float32Array).at(0) !== "bigint";
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}
