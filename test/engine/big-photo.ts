import sharp from "sharp";

/** A photo of 12 megapixels as a camera makes it, which takes a while to decode: a JPEG full of detail. */
export async function bigPhoto(): Promise<Buffer> {
  const noise = { type: "gaussian" as const, mean: 128, sigma: 40 };
  const grain = await sharp({ create: { width: 1000, height: 750, channels: 3, background: "grey", noise } })
    .png({ compressionLevel: 0 })
    .toBuffer();
  return sharp(grain).resize(4000, 3000, { kernel: "cubic" }).jpeg({ quality: 90 }).toBuffer();
}
