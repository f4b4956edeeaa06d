"""Random scenes with exact ground truth: emoji sprites, some recoloured, and a printed word before a background."""

import os
import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from classes import COLORS, HELD_OUT, HERE, INDEX, LETTERS, NAMES, POPULAR, THEMES, TINTS, WORDS
from sprites import has, restyled, sprite

SIZE = 224  # pixels per side
PATCH = 14
GRID = SIZE // PATCH  # patches per side
PHOTOS = Path(os.environ.get("FOVEA_PHOTOS", HERE / "build" / "photos"))
FONTS = Path(os.environ.get("FOVEA_FONTS", "/usr/share/fonts/truetype/dejavu"))
FACES = ("DejaVuSans-Bold", "DejaVuSans", "DejaVuSerif-Bold", "DejaVuSansMono-Bold", "DejaVuSansCondensed-Bold")
SEEN_STYLES = ("google", "twitter", "fluent")  # of ../eval
# What training draws, the styles of ../eval more often; the last ones lack some classes. "openmoji" is kept out.
TRAINED_STYLES = SEEN_STYLES * 2 + ("fluent-flat", "noto-v1", "emojione", "fxemoji", "streamline")
SIGN_COLORS = (  # letters, plate
    ((20, 20, 20), (250, 250, 245)),
    ((250, 250, 250), (25, 25, 25)),
    ((190, 20, 20), (255, 255, 240)),
    ((20, 60, 160), (250, 250, 250)),
    ((255, 230, 80), (40, 40, 60)),
)
N_LABELS = 1 + len(NAMES) + len(LETTERS)  # 0 background, then objects, then letters
LEAST_CONTRAST = 45  # mean distance, in RGB, between an object's pixels and what it covers


@dataclass
class Thing:
    """One drawn object; cx and cy are its centre, in pixels; part is its number in Scene.owner."""

    name: str
    cx: float
    cy: float
    size: int
    part: int
    tint: str | None = None


@dataclass
class Scene:
    image: Image.Image
    background: str | None  # None: a photograph
    owner: np.ndarray  # (SIZE, SIZE) int16: the part every pixel shows, 0 for the background
    parts: list[int] = field(default_factory=lambda: [0])  # part number -> label, see N_LABELS
    word: str | None = None
    letters: list[int] = field(default_factory=list)  # the parts of the word
    things: list[Thing] = field(default_factory=list)
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)  # taken places: left, top, right, bottom

    def new_part(self, label: int) -> int:
        self.parts.append(label)
        return len(self.parts) - 1


@cache
def font(face: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{face}.ttf"), size)


@cache
def photo(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


@cache
def photo_paths() -> tuple[Path, ...]:
    return tuple(sorted(PHOTOS.glob("*.png")))


def photo_crop(rng: random.Random) -> Image.Image:
    picture = photo(rng.choice(photo_paths()))
    side = rng.randint(SIZE, min(picture.size))
    x, y = rng.randint(0, picture.width - side), rng.randint(0, picture.height - side)
    crop = picture.crop((x, y, x + side, y + side))
    return crop.resize((SIZE, SIZE), Image.Resampling.BILINEAR)


def pattern(rng: random.Random) -> np.ndarray:
    """(SIZE, SIZE) of -1 to 1: stripes, checks or dots, turned and scaled at random."""
    x = np.arange(SIZE, dtype=np.float32)
    y = x[:, None]
    angle, period = rng.uniform(0, np.pi), rng.uniform(10, 40)
    u = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    v = np.sin((y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period)
    return {"stripes": u, "checks": np.sign(u * v), "dots": u * v}[rng.choice(("stripes", "checks", "dots"))]


def empty_scene(rng: random.Random) -> Scene:
    """A background of one named colour, plain or with a gradient, a pattern or noise; sometimes a photograph."""
    owner = np.zeros((SIZE, SIZE), np.int16)
    if photo_paths() and rng.random() < 0.1:
        return Scene(photo_crop(rng), None, owner)
    name = rng.choice(list(COLORS))
    base = np.array(COLORS[name], np.float32) + np.array([rng.uniform(-18, 18) for _ in range(3)], np.float32)
    shade = np.zeros((SIZE, SIZE), np.float32)  # what is added to all three channels
    if rng.random() < 0.4:
        along = np.arange(SIZE, dtype=np.float32) / SIZE * 30
        shade += along * np.float32(rng.uniform(-1, 1)) + along[:, None] * np.float32(rng.uniform(-1, 1))
    if rng.random() < 0.2:
        shade += pattern(rng) * np.float32(rng.uniform(5, 16))
    pixels = base + shade[..., None]
    if rng.random() < 0.4:
        noise = np.random.default_rng(rng.getrandbits(32))
        grain = noise.normal(0, rng.uniform(2, 12), (SIZE // 4, SIZE // 4, 3)).astype(np.float32)
        pixels.reshape(SIZE // 4, 4, SIZE // 4, 4, 3)[:] += grain[:, None, :, None]
    return Scene(Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)), name, owner)


def random_word(rng: random.Random, english: float = 0.7) -> str:
    if rng.random() < english:
        return rng.choice(WORDS).upper()
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(3, 6)))


def add_sign(scene: Scene, rng: random.Random, word: str) -> None:
    """Prints a word on a plate, letter by letter, so that every letter's place is known; too long a word is dropped."""
    face = font(rng.choice(FACES), rng.randint(20, 44))
    gap = rng.randint(1, 4)
    draw = ImageDraw.Draw(scene.image)
    widths = [draw.textlength(letter, font=face) for letter in word]
    width, height = int(sum(widths) + gap * (len(word) - 1)), sum(face.getmetrics())
    if width >= SIZE - 16:
        return
    x, y = rng.randint(6, SIZE - width - 8), rng.randint(4, SIZE - height - 6)
    ink, plate = rng.choice(SIGN_COLORS)
    box = (x - 5, y - 3, x + width + 5, y + height + 3)
    draw.rounded_rectangle(box, 5, fill=plate)
    scene.boxes.append(box)
    left = x
    for letter, letter_width in zip(word, widths):
        draw.text((left, y), letter, font=face, fill=ink)
        part = scene.new_part(1 + len(NAMES) + LETTERS.index(letter))
        scene.owner[y : y + height, int(left) : int(left + letter_width)] = part
        scene.letters.append(part)
        left += letter_width + gap
    scene.word = word


def free_place(scene: Scene, rng: random.Random, size: int) -> tuple[int, int] | None:
    """The corner of a square that overlaps no taken box by more than 12 % of its side, or None after 25 attempts."""
    slack = size * 0.12
    for _ in range(25):
        x, y = rng.randint(0, SIZE - size), rng.randint(0, SIZE - size)
        if all(
            min(x + size, right) - max(x, left) <= slack or min(y + size, bottom) - max(y, top) <= slack
            for left, top, right, bottom in scene.boxes
        ):
            return x, y
    return None


def vary(picture: Image.Image, rng: random.Random, size: int) -> Image.Image:
    """A view of a sprite: flipped, turned, scaled to (size, size), lightened or darkened."""
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.4:
        picture = picture.rotate(rng.uniform(-20, 20), Image.Resampling.BILINEAR)
    picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    if rng.random() < 0.4:
        pixels = np.asarray(picture).astype(float)
        pixels[..., :3] = (pixels[..., :3] * rng.uniform(0.75, 1.15) + rng.uniform(-15, 15)).clip(0, 255)
        picture = Image.fromarray(pixels.astype("uint8"))
    return picture


def tinted(picture: Image.Image, tint: str) -> Image.Image:
    """The sprite in shades of one colour."""
    pixels = np.asarray(picture).astype(float)
    brightness = pixels[..., :3].mean(-1, keepdims=True) / 255
    pixels[..., :3] = np.array(TINTS[tint]) * (0.35 + 0.9 * brightness)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def contrast(picture: np.ndarray, under: np.ndarray, opaque: np.ndarray) -> float:
    """How much the opaque pixels (height, width, RGBA) differ from those they would cover, in the mean."""
    distance = np.linalg.norm(picture[..., :3].astype(float) - under.astype(float), axis=-1)
    return float(distance[opaque].mean()) if opaque.any() else 0.0


def pick_tint(rng: random.Random, name: str, tinting: str) -> str | None:
    """A colour for "some" or "many" objects, but none of HELD_OUT's; "held-out" uses those only."""
    if tinting == "held-out":
        return rng.choice(HELD_OUT[name]) if name in HELD_OUT and rng.random() < 0.7 else None
    if rng.random() > {"some": 0.15, "many": 0.6}[tinting]:
        return None
    return rng.choice([tint for tint in TINTS if tint not in HELD_OUT.get(name, ())])


def add_thing(
    scene: Scene,
    rng: random.Random,
    name: str,
    styles: tuple[str, ...],
    sizes: tuple[int, ...],
    tinting: str,
    restyle: bool,
) -> None:
    """Draws one object where there is room and it can be seen; sizes = smallest, largest, likeliest side in pixels."""
    style = rng.choice([style for style in styles if has(style, name)])
    size, tint = int(rng.triangular(*sizes)), pick_tint(rng, name, tinting)
    place = free_place(scene, rng, size)
    if place is None:
        return
    x, y = place
    drawn = restyled(style, name, rng) if restyle else sprite(style, name)
    picture = vary(tinted(drawn, tint) if tint else drawn, rng, size)
    pixels = np.asarray(picture)
    opaque = pixels[..., 3] > 60
    if contrast(pixels, np.asarray(scene.image.crop((x, y, x + size, y + size))), opaque) < LEAST_CONTRAST:
        return
    scene.image.paste(picture, (x, y), picture)
    part = scene.new_part(1 + INDEX[name])
    scene.owner[y : y + size, x : x + size][opaque] = part
    scene.boxes.append((x, y, x + size, y + size))
    scene.things.append(Thing(name, x + size / 2, y + size / 2, size, part, tint))


def pick_kinds(rng: random.Random, count: int, tinting: str) -> list[str]:
    """Different classes: half of the time from one theme, so that some go together; popular ones are drawn twice as
    often as others."""
    pool = rng.choice(THEMES) if rng.random() < 0.5 else NAMES
    if tinting == "held-out":
        pool = list(HELD_OUT)
    weighted = [name for name in pool for _ in range(2 if name in POPULAR else 1)]
    rng.shuffle(weighted)
    return list(dict.fromkeys(weighted))[:count]


def make_scene(
    rng: random.Random,
    styles: tuple[str, ...] = SEEN_STYLES,
    crowded: bool = False,
    tinting: str = "some",
    most: int = 6,
    signs: int | None = None,
    restyle: bool = False,
    reading: float = 0.4,
    english: float = 0.7,
    repeating: float = 0.5,
) -> Scene:
    """1 to `most` objects, or 8 to 14 smaller ones when crowded; in `repeating` of the scenes kinds repeat. `signs` of
    random letters, or in `reading` of the scenes one with a word, `english` or of random letters. `restyle`: objects may
    look as another artist might have drawn them."""
    scene = empty_scene(rng)
    if signs is not None:
        for _ in range(signs):
            add_sign(scene, rng, random_word(rng, english=0))
    elif rng.random() < reading:
        add_sign(scene, rng, random_word(rng, english))
    count = rng.randint(8, 14) if crowded else rng.randint(1, most)
    if rng.random() < repeating:
        kinds = pick_kinds(rng, rng.randint(1, count), tinting)
        names = [rng.choice(kinds) for _ in range(count)]
    else:
        names = pick_kinds(rng, count, tinting)
    for name in names:
        add_thing(scene, rng, name, styles, (34, 76, 48) if crowded else (40, 92, 58), tinting, restyle)
    if rng.random() < 0.3:
        scene.image = scene.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))
    return scene
