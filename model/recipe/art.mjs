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

const iconify = (set, file) => readJson(join(packages, "@iconify-json", set, file));
const plain = (name) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/** An Iconify set as a function from emoji to SVG: sets file an emoji under one of its names, in their own spelling. */
function iconSet(set) {
  const { icons, aliases = {}, width = 16, height = 16 } = iconify(set, "icons.json");
  const names = new Map([...Object.keys(icons), ...Object.keys(aliases)].map((name) => [plain(name), name]));
  return (emoji) => {
    const unicode = spellings(emoji).map((code) => unicodeNames[code.toLowerCase()]);
    const known = [...unicode, emoji.name, ...emoji.short_names].filter(Boolean);
    const name = known.map((spelling) => names.get(plain(spelling))).find(Boolean);
    const icon = icons[name] ?? icons[aliases[name]?.parent];
    if (!icon) return undefined;
    const size = `viewBox="0 0 ${icon.width ?? width} ${icon.height ?? height}" width="256" height="256"`;
    return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${icon.body}</svg>`);
  };
}

const unicodeNames = iconify("fluent-emoji-flat", "chars.json");

/** Files as a function from emoji to the first of them that is there. */
const files = (filesOf) => (emoji) => filesOf(emoji).map((file) => join(packages, file)).find(existsSync);

/** Style name to the picture of an emoji, a file or SVG; undefined where the style has none. */
const styles = {
  google: files((emoji) => [join("emoji-datasource-google", "img", "google", "64", emoji.image)]),
  twitter: files((emoji) => [join("emoji-datasource-twitter", "img", "twitter", "64", emoji.image)]),
  fluent: files((emoji) =>
    spellings(emoji).map((code) => join("@lobehub", "fluent-emoji-3d", "assets", `${code.toLowerCase()}.webp`)),
  ),
  openmoji: files((emoji) => spellings(emoji).map((code) => join("openmoji", "color", "svg", `${code}.svg`))),
  "fluent-flat": iconSet("fluent-emoji-flat"),
  "noto-v1": iconSet("noto-v1"),
  emojione: iconSet("emojione"),
  fxemoji: iconSet("fxemoji"),
  streamline: iconSet("streamline-emojis"),
};

/** Trims the transparent border, so that the size drawn is the size of the object, and fits it into a square. */
async function writeSprite(source, target) {
  const density = String(source).endsWith(".svg") ? 300 : 72;
  const picture = await sharp(source, { density }).ensureAlpha().png().toBuffer();
  const trimmed = await sharp(picture).trim({ threshold: 5 }).toBuffer();
  const background = { r: 0, g: 0, b: 0, alpha: 0 };
  await sharp(trimmed).resize(kSize, kSize, { fit: "contain", background }).png().toFile(target);
}

for (const [style, pictureOf] of Object.entries(styles)) {
  mkdirSync(join(sprites, style), { recursive: true });
  let count = 0;
  for (const [name, shortName] of Object.entries(classes)) {
    const emoji = emojiByName.get(shortName);
    if (!emoji) throw new Error(`classes.json: "${name}" is no emoji short name: ${shortName}`);
    const source = pictureOf(emoji);
    if (!source) continue;
    await writeSprite(source, join(sprites, style, `${name}.png`));
    count += 1;
  }
  console.log(`${count} sprites of ${style}`);
  if (count === 0) throw new Error(`no picture of ${style} under ${packages}: is the package installed?`);
}

mkdirSync(photos, { recursive: true });
for (const name of kPhotos) {
  await sharp(join(packages, "@stdlib", "datasets", `img-${name}`, "data", "image.jpg")).resize(kPhotoSize, kPhotoSize, { fit: "cover" }).png().toFile(join(photos, `${name}.png`));
}
console.log(`${kPhotos.length} photographs in ${photos}`);
