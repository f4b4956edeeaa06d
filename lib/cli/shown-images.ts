import { readImages } from "../engine/forward.js";
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
  const sideOf = (pixels: number) => Math.floor((columns * pixels) / tower.imageSize);
  const { pictures, inTiles } = await seenPictures(model, messages);
  // A tower that keeps its class row puts it before the patches. Behind them are rows of tiles.
  const classRows = inTiles ? 0 : imageRows - columns * columns;
  return pictures.map((picture, image) => {
    const grid = { columns: sideOf(picture.width), rows: sideOf(picture.height) };
    const isShown = (row: number) => row >= classRows && row < classRows + grid.columns * grid.rows;
    return {
      picture,
      grid,
      stages: stages.flatMap((stage) => {
        if (stage.layers !== undefined) return []; // acts on the KV cache
        const { rowsIn = 0, rowsOut = 0, kept = new Int32Array() } = stage.images[image] ?? {};
        const title = stage.layer === undefined ? stage.name : `${stage.name}, layer ${stage.layer}`;
        return [{ title, rowsIn, rowsOut, patches: kept.filter(isShown).map((row) => row - classRows) }];
      }),
    };
  });
}

/** The pixels that the tower got, turned back into bytes. Of a picture that it also sees in tiles, those of the whole. */
async function seenPictures(model: CliModel, messages: Message[]): Promise<{ pictures: Picture[]; inTiles: boolean }> {
  const images = readImages(await model.process(messages));
  const inTiles = images.some(({ picture }) => picture !== undefined);
  if (images.length === 0) return { pictures: [], inTiles };
  const { scale, offset } = model.pixelScaling();
  const pictures = images.map(({ pixels, width, height }) => {
    const plane = height * width;
    const data = new Uint8ClampedArray(plane * 3); // rounds and clamps
    for (let i = 0; i < plane * 3; ++i) {
      const channel = i % 3;
      const value = pixels[channel * plane + Math.floor(i / 3)] as number;
      data[i] = (value - (offset[channel] as number)) / (scale[channel] as number);
    }
    return { width, height, data: new Uint8Array(data.buffer) };
  });
  return { pictures, inTiles };
}
