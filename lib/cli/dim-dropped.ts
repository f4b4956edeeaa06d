/** A picture: (height, width, 3) bytes of RGB. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Patches of a picture: columns * rows of them, numbered in raster order. */
export interface Grid {
  columns: number;
  rows: number;
}

/** What is left of a dropped patch: this share of its brightness, and of that only a trace of its colour. */
const brightness = 0.36;
const colour = 0.25;

/** A copy of the picture in which the patches that were not kept are dim and nearly grey. */
export function dimDropped({ width, height, data }: Picture, grid: Grid, kept: Iterable<number>): Picture {
  const isKept = new Uint8Array(grid.columns * grid.rows);
  for (const patch of kept) isKept[patch] = 1;
  const out = Uint8Array.from(data);
  for (let y = 0; y < height; ++y) {
    const rowOfPatches = Math.floor((y * grid.rows) / height) * grid.columns;
    for (let x = 0; x < width; ++x) {
      if (isKept[rowOfPatches + Math.floor((x * grid.columns) / width)] === 1) continue;
      const at = (y * width + x) * 3;
      dimPixel(out, at);
    }
  }
  return { width, height, data: out };
}

function dimPixel(data: Uint8Array, at: number): void {
  const [r, g, b] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
  const grey = 0.299 * r + 0.587 * g + 0.114 * b;
  data[at] = brightness * (grey + colour * (r - grey));
  data[at + 1] = brightness * (grey + colour * (g - grey));
  data[at + 2] = brightness * (grey + colour * (b - grey));
}
