import type { Question } from "../question.js";
import type { ScoringRule } from "../score.js";

/** A set of questions before anyone knows what it is. */
export interface Probe {
  isFolder: boolean;
  /** The first characters of a file; "" for a folder. */
  head: string;
}

/** Reads the questions of one benchmark as its authors publish them. */
export interface Loader {
  /** As written after --format. */
  name: string;
  /** What files it reads, in one line. */
  doc: string;
  rule: ScoringRule;
  /** What LLaVA-1.5 adds to every question of this benchmark; "" for nothing. */
  suffix: string;
  matches(probe: Probe): boolean;
  /**
   * @param images - the folder of pictures, if the user named one.
   * @throws FoveaError ERR_FOVEA_INVALID_ARGUMENT with the file and the line or entry that is wrong.
   */
  load(path: string, images: string | undefined): Promise<Question[]>;
}

/** What LLaVA-1.5 adds to questions whose answer is a word. */
export const oneWord = "Answer the question using a single word or phrase.";
