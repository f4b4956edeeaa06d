import type { LoweredPlan, LoweredStage } from "../plan.js";
import type { LayerRows } from "../visual-macs.js";
import { type CostFacts, type PromptShape, towerRowsEach } from "./cost-facts.js";

/** Rows of every part of a model in one prefill. */
export interface RowTrace {
  /** Per image, or tile of one: patches that are embedded. */
  patches: number[];
  /** Per image, or tile of one, and layer of the tower: its rows, the class row among them. */
  tower: LayerRows[][];
  /** Rows that the projector gets, all images together. */
  projected: number;
  /** Per decoder layer: visual rows of the stream. */
  visual: number[];
  /** Per decoder layer: all rows that run through its halves; 0 where a half is skipped. */
  decoder: LayerRows[];
  /** In the order of the forward pass. */
  stages: StageWork[];
}

/** What choosing rows takes depends on these. */
export interface StageWork {
  name: string;
  /** Rows that enter, of all images. */
  rowsIn: number;
  /** Rows that enter times rows that leave, summed over images. */
  pairs: number;
}

/** A place where rows may leave. */
export type StagePlace = Pick<LoweredStage, "name" | "hook" | "layer">;

/** One image's rows on their way. */
export interface ImageTrace {
  image: number;
  rows: number;
  /** Those that entered decoder layer 0, so far as that is known. */
  decoderRows: number;
}

/**
 * Follows the rows of a prompt through tower, projector and decoder.
 *
 * @param stages - in the order of the forward pass.
 * @param rowsAfter - rows of one image that stage number i leaves.
 */
export function traceRows(
  stages: readonly StagePlace[],
  rowsAfter: (i: number, image: ImageTrace) => number,
  skip: LoweredPlan["skip"],
  { textRows, images, tiles, moments }: PromptShape,
  facts: CostFacts,
): RowTrace {
  const traces = images.map((rows, image) => ({ image, rows, decoderRows: rows }));
  const total = () => traces.reduce((sum, { rows }) => sum + rows, 0);
  // Nothing leaves the tower of a model whose projector folds patches; a class row stands outside of what may leave.
  const each = towerRowsEach(facts);
  const outside = facts.tower.rows - facts.imageRows * each;
  const classRows = facts.tower.hasClassRow ? 1 : 0;
  const trace: RowTrace = {
    patches: images.map((rows) => rows * each + outside - classRows),
    tower: traces.map(() => []),
    projected: 0,
    visual: [],
    decoder: [],
    stages: [],
  };
  let next = 0;
  /** Runs the stages that come now. */
  const runWhile = (isDue: (stage: StagePlace) => boolean) => {
    for (; next < stages.length && isDue(stages[next] as StagePlace); ++next) {
      const work = { name: (stages[next] as StagePlace).name, rowsIn: total(), pairs: 0 };
      for (const image of traces) {
        const before = image.rows;
        image.rows = rowsAfter(next, image);
        work.pairs += before * image.rows;
      }
      trace.stages.push(work);
    }
  };
  runWhile(({ hook }) => hook === "pixels");
  for (let layer = 0; layer < facts.tower.nLayers; ++layer) {
    const attention = traces.map(({ rows }) => rows * each + outside);
    runWhile((stage) => stage.hook === "vision-layer" && stage.layer === layer);
    for (const [i, { rows }] of traces.entries()) {
      trace.tower[i]?.push({ attention: attention[i] as number, ffn: rows * each + outside });
    }
  }
  if (moments !== undefined) {
    // Moments of a video go through the tower apart, and nothing leaves it.
    trace.tower = trace.tower.flatMap((layers, i) => {
      const n = moments[i] as number;
      return Array<LayerRows[]>(n).fill(
        layers.map(({ attention, ffn }) => ({ attention: attention / n, ffn: ffn / n })),
      );
    });
  }
  runWhile(({ hook }) => hook === "vision-out");
  trace.projected = total();
  if (tiles !== undefined) {
    // Nothing leaves the tower of such a model, so all tiles are alike.
    const { rows, hasClassRow } = facts.tower;
    const layers = Array.from({ length: facts.tower.nLayers }, () => ({ attention: rows, ffn: rows }));
    trace.tower = tiles.flatMap((n) => Array<LayerRows[]>(n).fill(layers));
    trace.projected = trace.tower.length * (rows - (hasClassRow ? 1 : 0));
  }
  runWhile(({ hook }) => hook === "projected");
  for (const image of traces) image.decoderRows = image.rows;
  for (let layer = 0; layer < facts.nLayers; ++layer) {
    runWhile((stage) => stage.hook === "decoder-layer" && stage.layer === layer);
    const rows = total();
    const isSkipped = (part: string) =>
      skip.some((entry) => entry.layer === layer && entry.part === part && entry.phase !== "decode");
    trace.visual.push(rows);
    trace.decoder.push({
      attention: isSkipped("attention") ? 0 : rows + textRows,
      ffn: isSkipped("ffn") ? 0 : rows + textRows,
    });
  }
  return trace;
}
