import type { CostFacts } from "../../lib/prune/budget/cost-facts.js";

/** LLaVA-1.5-7B. */
export const llava7b: CostFacts = {
  nLayers: 32,
  dModel: 4096,
  nHeads: 32,
  nKvHeads: 32,
  dHead: 128,
  dFf: 11_008,
  vocabSize: 32_064,
  contextLength: 4096,
  imageRows: 576,
  projectorMacsPerRow: 1024 * 4096 + 4096 ** 2,
  tower: {
    nLayers: 23,
    dModel: 1024,
    dFf: 4096,
    rows: 577,
    imageSize: 336,
    patchSize: 14,
    hasClassRow: true,
    isPrunable: true,
  },
};
