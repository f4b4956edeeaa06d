import type { Method } from "../method.js";

/** Options of `downscale`. */
export interface DownscaleOptions {
  /** Share of the tower's rows that a smaller picture makes. */
  keep?: number;
}

/** Down-scaling: a smaller picture makes fewer patches, so that encoding gets shorter too. */
export const downscale: Method<DownscaleOptions> = {
  name: "downscale",
  doc:
    "Shows the vision tower a smaller square of whole patches, as many as come nearest to keep of its rows; position " +
    "embeddings are interpolated bicubically, as transformers does with interpolate_pos_encoding. The baseline that every " +
    "method has to beat at equal rows and at equal milliseconds. It acts while pictures are preprocessed: of several in a " +
    "plan the smallest counts, and Model.forward takes pixels as they are, so give its plan to Model.process too.",
  options: {
    keep: { kind: "ratio", default: 0.25, description: "share of the rows that the smaller picture makes" },
  },
  shrinksPictures: true,
  keepAll: { keep: 1 },
  lower({ keep }, { tower }) {
    const whole = Math.floor(tower.imageSize / tower.patchSize);
    const patches = Math.max(1, Math.round(whole * Math.sqrt(keep as number)));
    // Exactly 1 changes nothing, even where the last pixels make no whole patch.
    const side = patches === whole ? 1 : (patches * tower.patchSize) / tower.imageSize;
    return [{ name: "downscale", hook: "pixels", side, steps: [] }];
  },
  atShare: (stage, share) => ({ ...stage, keep: share }),
};
