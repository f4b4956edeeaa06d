import { expect, it } from "vitest";
import type { CliModel } from "../../lib/cli/context.js";
import { shownImages } from "../../lib/cli/shown-images.js";
import type { StageReport } from "../../lib/index.js";
import type { PreprocessSpec } from "../../lib/native/binding.js";
import { loadImagePreprocessor } from "../../lib/vision/preprocess.js";
import { fakeInfo } from "./cli-fake-engine.js";

const side = 224;

/** A model that was given plain pictures of these colours. */
async function modelThatSaw(colours: number[][], imageRows: number): Promise<CliModel> {
  const { scale, offset } = (await loadImagePreprocessor(fakeInfo.path)).cut(side, side).tiles[0] as PreprocessSpec;
  const data = Float32Array.from({ length: colours.length * 3 * side * side }, (_, i) => {
    const plane = Math.floor(i / (side * side));
    const channel = plane % 3;
    const value = colours[Math.floor(plane / 3)]?.[channel] as number;
    return value * (scale[channel] as number) + (offset[channel] as number);
  });
  return {
    info: { ...fakeInfo, imageRows },
    process: async () => ({ pixel_values: { data, shape: [colours.length, 3, side, side] } }),
    pixelScaling: () => ({ scale, offset }),
  } as unknown as CliModel;
}

const stages: StageReport[] = [
  {
    name: "pyramidDrop",
    hook: "decoder-layer",
    layer: 2,
    images: [
      { rowsIn: 256, rowsOut: 3, kept: Int32Array.of(0, 1, 255) },
      { rowsIn: 256, rowsOut: 1, kept: Int32Array.of(7) },
    ],
  },
];

it("gives every image its pixels back and its own kept patches", async () => {
  const colours = [
    [255, 0, 128],
    [1, 2, 3],
  ];
  const images = await shownImages(await modelThatSaw(colours, 256), [], stages);
  expect(images.map(({ picture }) => [...picture.data.subarray(0, 3)])).toEqual(colours);
  expect(images.map(({ picture }) => [...picture.data.subarray(-3)])).toEqual(colours);
  expect(images[0]?.grid).toEqual({ columns: 16, rows: 16 });
  expect(images.map((image) => image.stages[0])).toEqual([
    { title: "pyramidDrop, layer 2", rowsIn: 256, rowsOut: 3, patches: Int32Array.of(0, 1, 255) },
    { title: "pyramidDrop, layer 2", rowsIn: 256, rowsOut: 1, patches: Int32Array.of(7) },
  ]);
});

it("a class row before the patches is no patch", async () => {
  const [image] = await shownImages(await modelThatSaw([[0, 0, 0]], 257), [], stages);
  expect(image?.stages[0]).toMatchObject({ rowsOut: 3, patches: Int32Array.of(0, 254) });
});

it("no picture, no panels", async () => {
  const model = { info: fakeInfo, process: async () => ({}) } as unknown as CliModel;
  expect(await shownImages(model, [], stages)).toEqual([]);
});
