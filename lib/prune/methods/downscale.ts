import type { Method } from "../method.js";

/** Options of `downscale`. */
export interface DownscaleOptions {
  /** Share of the tower's rows that a smaller picture makes. */
  keep?: number;
  /** Tiles that the tower sees of each picture at most. */
  tiles?: number;
  /** Pixels of each picture at most. */
  pixels?: number;
}

/** Down-scaling: a smaller picture makes fewer patches, so that encoding gets shorter too. */
export const downscale: Method<DownscaleOptions> = {
  name: "downscale",
  doc:
    "Shows the vision tower a smaller square of whole patches, as many as come nearest to keep of its rows; position " +
    "embeddings are interpolated bicubically, as transformers does with interpolate_pos_encoding. The baseline that every " +
    "method has to beat at equal rows and at equal milliseconds. Of families that cut pictures into tiles, tiles caps how " +
    "many the tower sees of each, the whole picture among them: they come out as from transformers' processor with a smaller " +
    "size.longest_edge, or do_image_splitting false where only the whole fits (Idefics3, SmolVLM), fewer " +
    "image_grid_pinpoints (LLaVA-NeXT, LLaVA-OneVision, which shows the whole only as it does of several pictures), or " +
    "max_patches (InternVL, which counts without the whole). Of families that keep a picture's size (Qwen-VL), pixels caps " +
    "it as max_pixels does. A cap above what pictures come to changes nothing. It acts while pictures are preprocessed: of " +
    "several in a plan the smallest counts, and Model.forward takes pixels as they are, so give its plan to Model.process " +
    "too.",
  options: {
    keep: { kind: "ratio", default: 0.25, description: "share of the rows that the smaller picture makes" },
    tiles: {
      kind: "count",
      description: "tiles of each picture at most, instead of keep, where the model cuts pictures",
    },
    pixels: {
      kind: "count",
      description: "pixels of each picture at most, instead of keep, where it keeps their size",
    },
  },
  alternatives: ["keep", "tiles", "pixels"],
  shrinksPictures: true,
  keepAll: { keep: 1 },
  lower({ keep, tiles, pixels }, { tower }) {
    if (tiles !== undefined) return [{ name: "downscale", hook: "pixels", limit: { tiles }, steps: [] }];
    if (pixels !== undefined) return [{ name: "downscale", hook: "pixels", limit: { pixels }, steps: [] }];
    const whole = Math.floor(tower.imageSize / tower.patchSize);
    const patches = Math.max(1, Math.round(whole * Math.sqrt(keep as number)));
    // Exactly 1 changes nothing, even where the last pixels make no whole patch.
    const side = patches === whole ? 1 : (patches * tower.patchSize) / tower.imageSize;
    return [{ name: "downscale", hook: "pixels", limit: { side }, steps: [] }];
  },
  atShare: (stage, share) => ({ ...stage, keep: share }),
};
