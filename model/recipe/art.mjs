// Cuts one 96x96 sprite with alpha per class and art style, and the photographs, out of the npm artwork packages.
//   node art.mjs [node_modules]      -> build/sprites/<style>/<class>.png, build/photos/<name>.png
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const here = import.meta.dirname;
const packages = resolve(process.argv[2] ?? join(here, "node_modules"));
const sprites = join(here, "build", "sprites");
const sharp = createRequire(join(packages, "index.js"))("sharp");

const photos = join(here, "build", "photos");
const kSize = 96;
const kPhotoSize = 400;
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const classes = readJson(join(here, "classes.json"));
const emojiByName = new Map(
  readJson(join(packages, "emoji-datasource-google", "emoji.json")).map((emoji) => [emoji.short_name, emoji]),
);

const kPhotos = [
  "acanthus-mollis",
  "airplane-from-above",
  "allium-oreophilum",
  "black-canyon",
  "dust-bowl-home",
  "french-alpine-landscape",
  "locomotion-house-cat",
  "march-pastoral",
  "nagasaki-boats",
];

/** Code point spellings under which a style may have filed the emoji: with and without the variation selector. */
const spellings = ({ unified, non_qualified }) => [unified, unified.replaceAll("-FE0F", ""), non_qualified ?? unified];

/** Style name to the files in which an emoji's picture may lie, best first. */
const candidates = {
  google: (emoji) => [join("emoji-datasource-google", "img", "google", "64", emoji.image)],
  twitter: (emoji) => [join("emoji-datasource-twitter", "img", "twitter", "64", emoji.image)],
  fluent: (emoji) =>
    spellings(emoji).map((code) => join("@lobehub", "fluent-emoji-3d", "assets", `${code.toLowerCase()}.webp`)),
  openmoji: (emoji) => spellings(emoji).map((code) => join("openmoji", "color", "svg", `${code}.svg`)),
};

/** Trims the transparent border, so that the size drawn is the size of the object, and fits it into a square. */
async function writeSprite(source, target) {
  const density = source.endsWith(".svg") ? 300 : 72;
  const picture = await sharp(source, { density }).ensureAlpha().png().toBuffer();
  const trimmed = await sharp(picture).trim({ threshold: 5 }).toBuffer();
  const background = { r: 0, g: 0, b: 0, alpha: 0 };
  await sharp(trimmed).resize(kSize, kSize, { fit: "contain", background }).png().toFile(target);
}

let count = 0;
for (const [style, filesOf] of Object.entries(candidates)) {
  mkdirSync(join(sprites, style), { recursive: true });
  for (const [name, shortName] of Object.entries(classes)) {
    const emoji = emojiByName.get(shortName);
    if (!emoji) throw new Error(`classes.json: "${name}" is no emoji short name: ${shortName}`);
    const source = filesOf(emoji).map((file) => join(packages, file)).find(existsSync);
    if (!source) throw new Error(`no ${style} picture of "${name}" under ${packages}: is the package installed?`);
    await writeSprite(source, join(sprites, style, `${name}.png`));
    count += 1;
  }
}
console.log(`${count} sprites in ${sprites}`);

mkdirSync(photos, { recursive: true });
for (const name of kPhotos) {
  await sharp(join(packages, "@stdlib", "datasets", `img-${name}`, "data", "image.jpg")).resize(kPhotoSize, kPhotoSize, { fit: "cover" }).png().toFile(join(photos, `${name}.png`));
}
console.log(`${kPhotos.length} photographs in ${photos}`);
