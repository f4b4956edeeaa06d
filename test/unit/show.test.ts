import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { dimDropped, type Picture } from "../../lib/cli/dim-dropped.js";
import { renderShown, type ShownImage } from "../../lib/cli/show.js";

type Rgb = [number, number, number];

function plain(width: number, height: number, colour: Rgb): Picture {
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3] as number) };
}

async function decode(png: Buffer) {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const pixel = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
  return { ...info, pixel };
}

const orange: Rgb = [240, 120, 20];
const background = [0x10, 0x12, 0x16];
const [margin, edge, gap, caption] = [28, 336, 20, 60]; // of a 16 x 16 or 4 x 4 grid

function shown(stages: ShownImage["stages"], columns = 4): ShownImage {
  return { picture: plain(56, 56, orange), grid: { columns, rows: columns }, stages };
}

describe("dimDropped", () => {
  it("leaves kept patches alone and dims the others, on any grid", () => {
    const picture = plain(6, 4, orange);
    const { data } = dimDropped(picture, { columns: 3, rows: 2 }, [1, 3]);
    for (let y = 0; y < 4; ++y) {
      for (let x = 0; x < 6; ++x) {
        const patch = Math.floor(y / 2) * 3 + Math.floor(x / 2);
        const [r, g, b] = data.subarray((y * 6 + x) * 3) as unknown as Rgb;
        if (patch === 1 || patch === 3) {
          expect([r, g, b]).toEqual(orange);
        } else {
          expect(r + g + b).toBeLessThan((240 + 120 + 20) / 2);
          expect(r - b).toBeLessThan((240 - 20) / 5); // nearly grey
          expect(r).toBeGreaterThan(0); // but not black
        }
      }
    }
    expect(picture.data[0]).toBe(240); // the original is untouched
  });
});

describe("renderShown", () => {
  it("draws the picture and a panel per stage", async () => {
    const png = await renderShown([
      shown([
        { title: "divPrune", rowsIn: 16, rowsOut: 2, patches: Int32Array.of(0, 6) },
        { title: "a < b & c", rowsIn: 2, rowsOut: 1, patches: Int32Array.of(6) },
      ]),
    ]);
    const { width, height, pixel } = await decode(png);
    expect(width).toBe(2 * margin + 3 * edge + 2 * gap);
    expect(height).toBe(2 * margin + edge + caption);
    for (let panel = 0; panel < 3; ++panel) {
      const left = margin + panel * (edge + gap);
      expect(pixel(left, margin)).toEqual(background); // rounded corner
      expect(pixel(left + edge - 1, margin + edge - 1)).toEqual(background);
      expect(pixel(left + edge + gap / 2, 100)).toEqual(background);
      for (let patch = 0; patch < 16; ++patch) {
        const isKept = panel === 0 || patch === 6 || (panel === 1 && patch === 0);
        const centre = pixel(left + (patch % 4) * 84 + 42, margin + Math.floor(patch / 4) * 84 + 42);
        if (isKept) expect(centre).toEqual(orange);
        else expect(centre[0]).toBeLessThan(120);
      }
      // The border between a kept and a dropped patch is sharp.
      if (panel > 0) {
        expect(pixel(left + 3 * 84 - 1, margin + 84 + 42)).toEqual(orange);
        expect(pixel(left + 3 * 84, margin + 84 + 42)[0]).toBeLessThan(120);
      }
    }
  });

  it("writes captions below the panels", async () => {
    const { height, width, pixel } = await decode(await renderShown([shown([])]));
    let lit = 0;
    for (let y = margin + edge; y < height; ++y) {
      for (let x = 0; x < width; ++x) if ((pixel(x, y)[1] as number) > 100) ++lit;
    }
    expect(lit).toBeGreaterThan(200);
  });

  it("wraps after five panels and puts images below each other", async () => {
    const stages = Array.from({ length: 5 }, () => ({
      title: "s",
      rowsIn: 256,
      rowsOut: 1,
      patches: Int32Array.of(255),
    }));
    const { width, height, pixel } = await decode(await renderShown([shown(stages, 16), shown([], 16)]));
    expect(width).toBe(2 * margin + 5 * edge + 4 * gap);
    expect(height).toBe(2 * margin + 3 * (edge + caption) + 2 * gap);
    const secondLine = margin + edge + caption + gap;
    expect(pixel(margin + edge - 15, secondLine + edge - 15)).toEqual(orange); // patch 255 of the sixth panel
    expect(pixel(margin + 42, secondLine + 42)[0]).toBeLessThan(120);
    expect(pixel(margin + 42, 2 * secondLine - margin + 42)).toEqual(orange); // second image
  });
});
