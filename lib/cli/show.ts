import sharp from "sharp";
import { dimDropped, type Grid, type Picture } from "./dim-dropped.js";

/** What became of one image on its way through the stages. */
export interface ShownImage {
  /** As the model saw it. */
  picture: Picture;
  grid: Grid;
  stages: ShownStage[];
}

/** One panel beside the picture. */
export interface ShownStage {
  title: string;
  rowsIn: number;
  rowsOut: number;
  /** Patches that survived, raster indices into the picture's grid. */
  patches: Int32Array;
}

interface Panel {
  picture: Picture;
  title: string;
  subtitle: string;
  left: number;
  top: number;
}

const background = "#101216";
const panelEdge = 336; // aimed at; every patch gets a whole number of pixels
const maxColumns = 5;
const margin = 28;
const gap = 20;
const captionHeight = 60;
const cornerRadius = 10;

/**
 * Draws, for each image, the picture and one panel per stage: kept patches bright, dropped ones dim.
 *
 * @returns the bytes of a PNG file.
 */
export async function renderShown(images: ShownImage[]): Promise<Buffer> {
  const panels: Panel[] = [];
  let top = margin;
  for (const image of images) top = await layOut(image, top, panels);
  const width = margin + Math.max(...panels.map(({ left, picture }) => left + picture.width));
  const height = top - gap + margin;
  const pictures = panels.map(({ picture: { data, width, height }, left, top }) => ({
    input: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    raw: { width, height, channels: 3 as const },
    left,
    top,
  }));
  const frame = Buffer.from(drawFrame(panels, width, height));
  return sharp({ create: { width, height, channels: 3, background } })
    .composite([...pictures, { input: frame, left: 0, top: 0 }])
    .removeAlpha()
    .png({ compressionLevel: 9 })
    .toBuffer();
}

/** Appends the panels of one image, at most `maxColumns` side by side; returns where the next image begins. */
async function layOut({ picture, grid, stages }: ShownImage, firstTop: number, panels: Panel[]): Promise<number> {
  const large = await enlarge(picture, grid);
  const rowHeight = large.height + captionHeight + gap;
  const parts = [
    { picture: large, title: "what the model sees", subtitle: `${grid.columns} × ${grid.rows} patches` },
    ...stages.map(({ title, rowsIn, rowsOut, patches }) => ({
      picture: dimDropped(large, grid, patches),
      title,
      subtitle: `${rowsIn} → ${rowsOut} rows`,
    })),
  ];
  for (const [i, part] of parts.entries()) {
    const left = margin + (i % maxColumns) * (large.width + gap);
    panels.push({ ...part, left, top: firstTop + Math.floor(i / maxColumns) * rowHeight });
  }
  return firstTop + Math.ceil(parts.length / maxColumns) * rowHeight;
}

/** Brings the picture to panel size, so that the borders between patches fall between pixels. */
async function enlarge({ width, height, data }: Picture, grid: Grid): Promise<Picture> {
  const patch = Math.max(1, Math.round(panelEdge / Math.max(grid.columns, grid.rows)));
  const size = { width: patch * grid.columns, height: patch * grid.rows };
  const large = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ ...size, fit: "fill", kernel: "lanczos3" })
    .raw()
    .toBuffer();
  return { ...size, data: large };
}

/** SVG laid over everything: background with a rounded window for each panel, and the captions. */
function drawFrame(panels: Panel[], width: number, height: number): string {
  const windows = panels.map(({ picture, left, top }) => roundedWindow(left, top, picture.width, picture.height));
  const captions = panels.map(({ picture, title, subtitle, left, top }) => {
    const baseline = top + picture.height + 26;
    return (
      `<text x="${left + 2}" y="${baseline}" font-size="16" font-weight="600" fill="#eceff4">${escapeXml(title)}</text>` +
      `<text x="${left + 2}" y="${baseline + 21}" font-size="14" fill="#8b94a3">${escapeXml(subtitle)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<path fill="${background}" fill-rule="evenodd" d="M0 0H${width}V${height}H0Z${windows.join("")}"/>` +
    `<g font-family="Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif">${captions.join("")}</g></svg>`
  );
}

function roundedWindow(left: number, top: number, width: number, height: number): string {
  const r = cornerRadius;
  const corner = (x: number, y: number) => `a${r} ${r} 0 0 1 ${x} ${y}`;
  return (
    `M${left + r} ${top}h${width - 2 * r}${corner(r, r)}v${height - 2 * r}${corner(-r, r)}` +
    `h${2 * r - width}${corner(-r, -r)}v${2 * r - height}${corner(r, -r)}z`
  );
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
