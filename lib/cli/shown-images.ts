import { readImages } from "../engine/forward.js";
import { momentsOf } from "../engine/moments-of.js";
import type { Message, StageReport } from "../index.js";
import type { CliModel } from "./context.js";
import type { Picture } from "./dim-dropped.js";
import type { ShownImage } from "./show.js";

/**
 * Brings together what `renderShown` draws: the pictures as the model saw them, or the first frame of each moment of a
 * video, and what each stage kept.
 */
export async function shownImages(model: CliModel, messages: Message[], stages: StageReport[]): Promise<ShownImage[]> {
  const { tower, imageRows } = model.info;
  // Some projectors make one row of a square of patches; the grid is that of the rows.
  const patches = Math.floor(tower.imageSize / tower.patchSize);
  const columns = imageRows < patches ** 2 ? Math.round(Math.sqrt(imageRows)) : patches;
  const sideOf = (pixels: number) => Math.floor((columns * pixels) / tower.imageSize);
  const { pictures, inTiles } = await seenPictures(model, messages);
  // A tower that keeps its class row puts it before the patches. Behind them are rows of tiles.
  const classRows = inTiles ? 0 : imageRows - columns * columns;
  const onRows = stages.filter((stage) => stage.layers === undefined); // others act on the KV cache
  return pictures.map(({ image, moment, moments, ...picture }) => {
    const grid = { columns: sideOf(picture.width), rows: sideOf(picture.height) };
    const rows = grid.columns * grid.rows;
    const first = moment * rows + classRows;
    let before = rows;
    const shown = onRows.map((stage) => {
      const { rowsIn = 0, rowsOut = 0, kept = new Int32Array() } = stage.images[image] ?? {};
      const patches = kept.filter((row) => row >= first && row < first + rows).map((row) => row - first);
      const title = stage.layer === undefined ? stage.name : `${stage.name}, layer ${stage.layer}`;
      const counts = moments === 1 ? { rowsIn, rowsOut } : { rowsIn: before, rowsOut: patches.length };
      before = patches.length;
      return { title, ...counts, patches };
    });
    return { picture, grid, stages: shown };
  });
}

/** What the tower saw of an image at once. */
interface SeenPicture extends Picture {
  image: number;
  /** Of a video, counted from 0; a picture has one. */
  moment: number;
  moments: number;
}

/** The pixels that the tower got, turned back into bytes. Of a picture that it also sees in tiles, those of the whole. */
async function seenPictures(
  model: CliModel,
  messages: Message[],
): Promise<{ pictures: SeenPicture[]; inTiles: boolean }> {
  const images = readImages(await model.process(messages));
  const inTiles = images.some(({ picture }) => picture !== undefined);
  if (images.length === 0) return { pictures: [], inTiles };
  const { scale, offset } = model.pixelScaling();
  const pictures = images.flatMap((seen, image) => {
    const { pixels, width, height } = seen;
    const moments = momentsOf(seen, model.info.tower.frames);
    const plane = height * width;
    return Array.from({ length: moments }, (_, moment) => {
      const at = moment * model.info.tower.frames * 3 * plane;
      const data = new Uint8ClampedArray(plane * 3); // rounds and clamps
      for (let i = 0; i < plane * 3; ++i) {
        const channel = i % 3;
        const value = pixels[at + channel * plane + Math.floor(i / 3)] as number;
        data[i] = (value - (offset[channel] as number)) / (scale[channel] as number);
      }
      return { width, height, data: new Uint8Array(data.buffer), image, moment, moments };
    });
  });
  return { pictures, inTiles };
}
