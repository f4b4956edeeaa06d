import type { DepthTable, RowKind } from "../calibrate/depth-table.js";

const kinds = ["all", "text", "visual"] as const;
const parts = ["attention", "ffn", "block"] as const;

/** A table of what every layer does, for people: cosines and contributions of each half, by kind of row. */
export function depthTableText(table: DepthTable): string[] {
  const seen = kinds.filter((kind) => kind === "all" || table.every((layer) => layer[kind].rows > 0));
  return [
    "cosine of the stream before and after (1: nothing changed)",
    ...columns(table, seen, "cosine"),
    "length of what is added, as a share of the stream's",
    ...columns(table, seen, "contribution"),
  ];
}

function columns(table: DepthTable, seen: readonly RowKind[], measure: "cosine" | "contribution"): string[] {
  const heads = parts.flatMap((part) => seen.map((kind) => (kind === "all" ? part : kind)));
  const rows = table.map((layer, index) => {
    const cells = parts.flatMap((part) => seen.map((kind) => layer[kind][part][measure].toFixed(4)));
    return line([String(index), ...cells]);
  });
  return [line(["layer", ...heads]), ...rows];
}

function line(cells: string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(6) : cell.padStart(10))).join("");
}
