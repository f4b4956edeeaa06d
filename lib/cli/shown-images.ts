import type { Message, StageReport } from "../index.js";
import type { CliModel } from "./context.js";
import type { Picture } from "./dim-dropped.js";
import type { ShownImage } from "./show.js";

/** Brings together what `renderShown` draws: the pictures as the model saw them, and what each stage kept. */
export async function shownImages(model: CliModel, messages: Message[], stages: StageReport[]): Promise<ShownImage[]> {
  const { tower, imageRows } = model.info;
  // Some projectors make one row of a square of patches; the grid is that of the rows.
  const patches = Math.floor(tower.imageSize / tower.patchSize);
  const columns = imageRows < patches ** 2 ? Math.round(Math.sqrt(imageRows)) : patches;
  const grid = { columns, rows: columns };
  // A tower that keeps its class row puts it before the patches.
  const classRows = imageRows - grid.columns * grid.rows;
  const pictures = await seenPictures(model, messages);
  return pictures.map((picture, image) => ({
    picture,
    grid,
    stages: stages.flatMap((stage) => {
      if (stage.layers !== undefined) return []; // acts on the KV cache
      const { rowsIn = 0, rowsOut = 0, kept = new Int32Array() } = stage.images[image] ?? {};
      const title = stage.layer === undefined ? stage.name : `${stage.name}, layer ${stage.layer}`;
      return [
        { title, rowsIn, rowsOut, patches: kept.filter((row) => row >= classRows).map((row) => row - classRows) },
      ];
    }),
  }));
}

/** The pixels that the tower got, turned back into bytes. */
async function seenPictures(model: CliModel, messages: Message[]): Promise<Picture[]> {
  const { pixel_values: pixels } = await model.process(messages);
  if (pixels === undefined) return [];
  const [nImages = 0, , height = 0, width = 0] = pixels.shape;
  const values = pixels.data; // (n_images, 3, height, width)
  const { scale, offset } = model.pixelScaling();
  const plane = height * width;
  return Array.from({ length: nImages }, (_, image) => {
    const data = new Uint8ClampedArray(plane * 3); // rounds and clamps
    for (let i = 0; i < plane * 3; ++i) {
      const channel = i % 3;
      const value = values[(image * 3 + channel) * plane + Math.floor(i / 3)] as number;
      data[i] = (value - (offset[channel] as number)) / (scale[channel] as number);
    }
    return { width, height, data: new Uint8Array(data.buffer) };
  });
}
