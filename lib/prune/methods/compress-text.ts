import { atDepth } from "../depth-share.js";
import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `compressText`. */
export interface CompressTextOptions extends KeepOptions {
  /** Decoder layer that drops rows. */
  layer?: number;
  /** Rows at the start of the prompt that always stay. */
  first?: number;
  /** Rows at its end that always stay, and whose attention ranks the others. */
  last?: number;
}

/** Long prompts: the rows of text that the question looks at. */
export const compressText: Method<CompressTextOptions> = {
  name: "compressText",
  doc:
    "Drops rows of text, not of images: as rows are about to enter decoder layer `layer`, those stay that the last rows of " +
    "the prompt, where the question is, attend to most (this layer's own attention, mean over these rows and heads). The " +
    "prompt's first and last rows and special tokens stay besides. A method of Fovea's own: the probe of PyramidDrop turned " +
    "to the text of long contexts; it needs no second model, as LLMLingua does. Each stretch of text between images keeps " +
    "its own share. Short prompts lose what they need: use it on contexts of hundreds of rows.",
  options: {
    keep: { kind: "ratio", default: 0.5, description: "share of each stretch of text that stays" },
    count: { kind: "count", description: "rows that stay per stretch of text, instead of keep" },
    layer: { kind: "layer", description: "drop as rows enter this decoder layer; default: a quarter of the depth" },
    first: { kind: "count", default: 4, description: "rows at the prompt's start that always stay" },
    last: { kind: "count", default: 16, description: "rows at the prompt's end that always stay, and rank the others" },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  positions: "original",
  lower: ({ layer, first, last, ...amount }, { nLayers, specialTokens }) => [
    {
      name: "compressText",
      hook: "decoder-layer",
      layer: layer ?? atDepth(1, 4, nLayers),
      over: "text",
      steps: [
        { do: "probe", queries: "last", count: last as number, to: "attention" },
        { do: "select", by: "topK", score: "attention", keep: keepBudget(amount), to: "best" },
        { do: "select", by: "edges", first: first as number, last: last as number, to: "edges" },
        { do: "select", by: "tokens", ids: specialTokens ?? [], to: "special" },
        { do: "union", of: ["best", "edges", "special"], to: "kept" },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
