"""Random scenes with exact ground truth: emoji sprites and a printed word on a coloured background."""

import os
import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from classes import COLORS, HERE, INDEX, LETTERS, NAMES, WORDS

SIZE = 224  # pixels per side
PATCH = 14
GRID = SIZE // PATCH  # patches per side
SPRITES = Path(os.environ.get("FOVEA_SPRITES", HERE / "build" / "sprites"))
FONTS = Path(os.environ.get("FOVEA_FONTS", "/usr/share/fonts/truetype/dejavu"))
FACES = ("DejaVuSans-Bold", "DejaVuSans", "DejaVuSerif-Bold", "DejaVuSansMono-Bold", "DejaVuSansCondensed-Bold")
SEEN_STYLES = ("google", "twitter", "fluent")  # "openmoji" is the style kept out of training
SIGN_COLORS = (  # letters, plate
    ((20, 20, 20), (250, 250, 245)),
    ((250, 250, 250), (25, 25, 25)),
    ((190, 20, 20), (255, 255, 240)),
    ((20, 60, 160), (250, 250, 250)),
    ((255, 230, 80), (40, 40, 60)),
)
N_LABELS = 1 + len(NAMES) + len(LETTERS)  # 0 background, then objects, then letters


@dataclass
class Thing:
    """One drawn object; cx and cy are its centre, in pixels."""

    name: str
    cx: float
    cy: float
    size: int


@dataclass
class Scene:
    image: Image.Image
    labels: np.ndarray  # (SIZE, SIZE) int16: what every pixel shows, see N_LABELS
    background: str
    word: str | None = None
    things: list[Thing] = field(default_factory=list)
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)  # taken places: left, top, right, bottom


@cache
def sprite(style: str, name: str) -> Image.Image:
    return Image.open(SPRITES / style / f"{name}.png").convert("RGBA")


@cache
def font(face: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{face}.ttf"), size)


def empty_scene(rng: random.Random) -> Scene:
    """A background of one named colour, half of the time with a gradient, half of the time with coarse noise."""
    name = rng.choice(list(COLORS))
    base = np.array(COLORS[name], float) + np.array([rng.uniform(-18, 18) for _ in range(3)])
    pixels = np.broadcast_to(base, (SIZE, SIZE, 3)).copy()
    if rng.random() < 0.5:
        y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
        pixels += ((x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) * 30)[..., None]
    if rng.random() < 0.5:
        noise = np.random.default_rng(rng.getrandbits(32))
        grain = noise.normal(0, rng.uniform(2, 12), (SIZE // 4, SIZE // 4, 3))
        pixels += grain.repeat(4, 0).repeat(4, 1)
    image = Image.fromarray(pixels.clip(0, 255).astype("uint8")).convert("RGB")
    return Scene(image, np.zeros((SIZE, SIZE), np.int16), name)


def random_word(rng: random.Random) -> str:
    if rng.random() < 0.7:
        return rng.choice(WORDS).upper()
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(3, 6)))


def add_sign(scene: Scene, rng: random.Random) -> None:
    """Prints a word on a plate, letter by letter, so that every letter's place is known; too long a word is dropped."""
    word = random_word(rng)
    face = font(rng.choice(FACES), rng.randint(20, 32))
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
        label = 1 + len(NAMES) + LETTERS.index(letter)
        scene.labels[y : y + height, int(left) : int(left + letter_width)] = label
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
        picture = picture.rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC, expand=False)
    picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    if rng.random() < 0.4:
        pixels = np.asarray(picture).astype(float)
        pixels[..., :3] = (pixels[..., :3] * rng.uniform(0.75, 1.15) + rng.uniform(-15, 15)).clip(0, 255)
        picture = Image.fromarray(pixels.astype("uint8"))
    return picture


def add_thing(scene: Scene, rng: random.Random, name: str, styles: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    """Draws one object where there is room; sizes = smallest, largest, most likely side in pixels."""
    style, size = rng.choice(styles), int(rng.triangular(*sizes))
    place = free_place(scene, rng, size)
    if place is None:
        return
    x, y = place
    picture = vary(sprite(style, name), rng, size)
    scene.image.paste(picture, (x, y), picture)
    opaque = np.asarray(picture)[..., 3] > 60
    scene.labels[y : y + size, x : x + size][opaque] = 1 + INDEX[name]
    scene.boxes.append((x, y, x + size, y + size))
    scene.things.append(Thing(name, x + size / 2, y + size / 2, size))


def make_scene(rng: random.Random, styles: tuple[str, ...] = SEEN_STYLES, crowded: bool = False) -> Scene:
    """1 to 6 objects, or 8 to 14 smaller ones when crowded; in half of the scenes kinds repeat."""
    scene = empty_scene(rng)
    if rng.random() < 0.4:
        add_sign(scene, rng)
    count = rng.randint(8, 14) if crowded else rng.randint(1, 6)
    kinds = rng.sample(NAMES, rng.randint(1, count))
    repeated = rng.random() < 0.5
    names = [rng.choice(kinds) for _ in range(count)] if repeated else rng.sample(NAMES, count)
    for name in names:
        add_thing(scene, rng, name, styles, (34, 76, 48) if crowded else (40, 92, 58))
    if rng.random() < 0.3:
        scene.image = scene.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))
    return scene


def patch_labels(labels: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE) pixel labels -> (GRID * GRID,): the commonest thing of a patch if over 30 % is covered, else 0."""
    patches = labels.reshape(GRID, PATCH, GRID, PATCH).transpose(0, 2, 1, 3).reshape(GRID * GRID, PATCH * PATCH)
    out = np.zeros(GRID * GRID, np.int64)
    for i, patch in enumerate(patches):
        shown = patch[patch > 0]
        if len(shown) > PATCH * PATCH * 0.3:
            out[i] = np.bincount(shown).argmax()
    return out
