/** How large preprocessing leaves pictures. */
export interface PictureLimit {
  /** Share of its side that the tower sees of a square. */
  side: number;
  /** Tiles that the tower sees of a picture at most, the whole one among them. */
  tiles: number;
  /** Pixels of a picture at most. */
  pixels: number;
}

/** As the model's files have it. */
export const noLimit: Readonly<PictureLimit> = {
  side: 1,
  tiles: Number.POSITIVE_INFINITY,
  pixels: Number.POSITIVE_INFINITY,
};
