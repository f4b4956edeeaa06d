import type { Plan } from "./plan.js";

/** A plan by name, and why it is what it is. */
export interface Preset {
  doc: string;
  plan: Plan;
}

/** Plans to begin with, by what matters most. */
export type PresetName = "fast" | "balanced" | "careful";

/**
 * Plans that suit any model; `fovea tune` finds better ones for a model and its questions.
 *
 * What they rest on: rows that are dropped before the decoder save the most and cannot be won back, and nothing has
 * told what the question is about; rows that are dropped inside it have been read by the layers before, and the
 * prompt's last row says which of them matter. Text in pictures suffers first, because a letter fills few patches and
 * looks like its neighbours: choosing for diversity loses it.
 */
export const presets: Readonly<Record<PresetName, Preset>> = {
  fast: {
    doc:
      "A quarter of the rows enters the decoder, chosen to differ from each other, and halves on the way. For " +
      "questions about what is there and where; small things and text get lost. The embedded model answers 82.0 % " +
      "with 12 % of the rows, mean over the layers, 95.8 % unpruned (docs/methods.md).",
    plan: {
      stages: [
        { method: "divPrune", keep: 0.25 },
        { method: "pyramidDrop", lambda: 0.5 },
      ],
    },
  },
  balanced: {
    doc:
      "Half of the rows enters the decoder, and the question decides which of them go on. Saves more than half of the " +
      "decoder's work, and drops half of the rows before anyone knows the question. The embedded model answers 89.9 % " +
      "of 95.8 %, printed words 81 of 87 %.",
    plan: {
      stages: [
        { method: "divPrune", keep: 0.5 },
        { method: "pyramidDrop", lambda: 0.7 },
      ],
    },
  },
  careful: {
    doc:
      "Every row enters the decoder; from the middle of its depth on fewer go on, those that the question attends to. " +
      "For text in pictures and for small things: no row leaves before half of the layers have read it. The embedded " +
      "model, whose half is four layers, answers 92.6 % of 95.8 %, printed words 68 of 87 %.",
    plan: { stages: [{ method: "pyramidDrop", keep: [0.5] }] },
  },
};

/** The plan behind a preset's name; anything else as it is. */
export function expandPreset(plan: unknown): unknown {
  return isPresetName(plan) ? presets[plan].plan : plan;
}

/** True for the name of a preset. */
export function isPresetName(value: unknown): value is PresetName {
  return typeof value === "string" && Object.hasOwn(presets, value);
}
