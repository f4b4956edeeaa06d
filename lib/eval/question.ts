import type { ImageInput } from "../vision/image-input.js";
import type { ScoringRule } from "./score.js";

/** One question about one picture. */
export interface Question {
  /** Unique within its set. */
  id: string;
  /** What sort of question it is; reports count each kind apart. */
  kind: string;
  /** A path, or the bytes of an encoded file. */
  image: ImageInput;
  /** Same key, same picture. */
  imageKey: string;
  /** What the model is asked, without the set's suffix. */
  text: string;
  /** Right answers; for `vqa` one per person who was asked. */
  answers: string[];
  /** For `option`: the text behind each letter. */
  options?: Record<string, string>;
  /** Questions of one group are also counted together: a group is right when all of them are. */
  group?: string;
}

/** Questions as a benchmark's authors publish them, with the rule that scores them. */
export interface QuestionSet {
  /** The file or folder they were read from. */
  path: string;
  /** Name of the loader that read them. */
  format: string;
  /** How answers are scored. */
  rule: ScoringRule;
  /** Goes behind every question, after a line break; "" for nothing. */
  suffix: string;
  /** In the order of the file. */
  questions: Question[];
  /** SHA-256 of every question and answer of the file, in hex. */
  digest: string;
}
