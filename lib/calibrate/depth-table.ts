import type { DepthProfile, LayerDepth, RowChange, RowsDepth } from "../engine/depth-profile.js";

/** Which rows a mean is over. */
export type RowKind = "all" | "text" | "visual";

/** What every decoder layer does to the rows of all samples: means over rows, so that long prompts count for more. */
export type DepthTable = Record<RowKind, RowsDepth>[];

const parts = ["attention", "ffn", "block"] as const;

/** Means over several samples, a table of one sample at a time. */
export class DepthMeans {
  #table: DepthTable | undefined;

  add({ layers }: DepthProfile): void {
    const before = this.#table;
    this.#table = layers.map((layer, i) => {
      const now = { ...layer, all: merge(layer.text, layer.visual) };
      const sum = before?.[i];
      if (sum === undefined) return now;
      return { all: merge(sum.all, now.all), text: merge(sum.text, now.text), visual: merge(sum.visual, now.visual) };
    });
  }

  /** One entry per decoder layer; none before the first sample. */
  get table(): DepthTable {
    return this.#table ?? [];
  }
}

function merge(a: LayerDepth["text"], b: LayerDepth["text"]): RowsDepth {
  if (a.rows === 0 || b.rows === 0) return a.rows === 0 ? b : a; // the means of none are NaN
  const rows = a.rows + b.rows;
  const mean = (x: number, y: number) => (x * a.rows + y * b.rows) / rows;
  const change = (part: (typeof parts)[number]): RowChange => ({
    cosine: mean(a[part].cosine, b[part].cosine),
    contribution: mean(a[part].contribution, b[part].contribution),
  });
  return { rows, attention: change("attention"), ffn: change("ffn"), block: change("block") };
}
