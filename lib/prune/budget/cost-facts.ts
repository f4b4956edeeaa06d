import type { PlanFacts } from "../method.js";

/** Sizes of a model that its work is computed from; `Model.info` has them. */
export interface CostFacts extends PlanFacts {
  dModel: number;
  nHeads: number;
  nKvHeads: number;
  dHead: number;
  dFf: number;
  /** Decoder layers that convolve where others attend; none where all attend. */
  convLayers?: readonly number[];
  vocabSize: number;
  contextLength: number;
  /** Rows of one image or tile. */
  imageRows: number;
  projectorMacsPerRow: number;
  tower: PlanFacts["tower"] & {
    dModel: number;
    dFf: number;
    /** Of one image in the tower, its class row among them. */
    rows: number;
    patchSize: number;
  };
}

/** Rows of the tower that become one behind it: above 1 where the projector folds squares of patches. */
export function towerRowsEach({ tower, imageRows }: CostFacts): number {
  return Math.floor(tower.rows / imageRows);
}

/** All of a prompt that its cost depends on. */
export interface PromptShape {
  /** Rows that are not of an image. */
  textRows: number;
  /** Rows of each image. */
  images: readonly number[];
  /** Tiles that each image is arranged from; none where every image goes through the tower as it is. */
  tiles?: readonly number[];
  /** Moments of a video that each image goes through the tower in; none where there is no video. */
  moments?: readonly number[];
}
