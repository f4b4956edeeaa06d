import { classAttention } from "../class-attention.js";
import { type KeepOptions, keepBudget } from "../keep-budget.js";
import type { Method } from "../method.js";

/** Options of `visionZip`. */
export interface VisionZipOptions extends KeepOptions {
  /** Share of the kept rows that is kept for its attention; the others gather the rest. */
  dominant?: number;
  /** What a contextual row becomes. */
  merge?: "addMean" | "mean";
}

/** VisionZip: the most attended patches, and a few that take all others in. */
export const visionZip: Method<VisionZipOptions> = {
  name: "visionZip",
  doc:
    "Keeps, of each image, the rows that the vision tower's class row attends to most (all rows, in a tower without one), " +
    "and spreads contextual rows evenly over the others; each row that goes is merged into the contextual row whose key " +
    "is most like its own, before the projector. VisionZip, CVPR 2025 (arXiv 2412.04467): 54 + 10, 108 + 20 and 162 + 30 " +
    "rows make 27/32 of them dominant. As in its code a contextual row becomes itself plus the mean of what it takes in; " +
    "merge=mean makes it their mean. Unlike its code the class row itself is not fed to the decoder, which never saw " +
    "one, and contextual rows stay at their place in the picture instead of going to the end.",
  options: {
    keep: { kind: "ratio", default: 0.25, description: "share of each image's rows that stays" },
    count: { kind: "count", description: "rows that stay per image, instead of keep" },
    dominant: { kind: "ratio", default: 27 / 32, description: "share of those that stays for its attention" },
    merge: {
      kind: "choice",
      of: ["addMean", "mean"],
      default: "addMean",
      description: "contextual rows: itself plus the mean of the others (the paper's code), or the mean of all",
    },
  },
  alternatives: ["keep", "count"],
  keepAll: { keep: 1 },
  lower: ({ dominant, merge, ...amount }, facts) => [
    {
      name: "visionZip",
      hook: "vision-out",
      steps: [
        classAttention(facts, "attention"),
        { do: "tap", of: "keys", to: "keys" },
        {
          do: "select",
          by: "topK",
          score: "attention",
          keep: { ...keepBudget(amount), share: dominant as number },
          to: "dominant",
        },
        { do: "select", by: "stride", beside: "dominant", keep: keepBudget(amount), to: "contextual" },
        { do: "union", of: ["dominant", "contextual"], to: "kept" },
        { do: "without", rows: "kept", to: "others" },
        {
          do: "merge",
          by: "nearest",
          features: "keys",
          from: "others",
          into: "contextual",
          reduce: merge as "addMean" | "mean",
        },
        { do: "gather", rows: "kept" },
      ],
    },
  ],
};
