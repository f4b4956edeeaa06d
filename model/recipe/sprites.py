"""The artwork: a sprite per style and class, and how other artists might have drawn it."""

import os
import random
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from classes import HERE

SPRITES = Path(os.environ.get("FOVEA_SPRITES", HERE / "build" / "sprites"))


@cache
def sprite(style: str, name: str) -> Image.Image:
    return Image.open(SPRITES / style / f"{name}.png").convert("RGBA")


@cache
def has(style: str, name: str) -> bool:
    return (SPRITES / style / f"{name}.png").exists()


@cache
def redrawn(style: str, name: str, colors: int, outline: int) -> Image.Image:
    """The sprite as another hand might draw it: in `colors` flat colours (0: its own), and with black lines of `outline`
    pixels (odd, or 0: none) around it and where its brightness jumps."""
    picture = sprite(style, name)
    alpha, flat = picture.getchannel("A"), picture.convert("RGB")
    if colors:
        flat = flat.filter(ImageFilter.ModeFilter(5)).quantize(colors, dither=Image.Dither.NONE).convert("RGB")
    if outline:
        jumps = flat.convert("L").filter(ImageFilter.FIND_EDGES).point(lambda value: 255 if value > 60 else 0)
        rim = ImageChops.subtract(alpha, alpha.filter(ImageFilter.MinFilter(outline)))
        if outline > 3:
            jumps = jumps.filter(ImageFilter.MaxFilter(3))
        flat.paste((0, 0, 0), mask=ImageChops.lighter(jumps, rim))
    flat.putalpha(alpha)
    return flat


def squeezed(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Narrower or lower, by up to a quarter, in a square of the same size."""
    width, height = picture.size
    w, h = rng.choice(((int(width * rng.uniform(0.75, 1)), height), (width, int(height * rng.uniform(0.75, 1)))))
    square = Image.new("RGBA", picture.size)
    square.paste(picture.resize((w, h), Image.Resampling.BILINEAR), ((width - w) // 2, (height - h) // 2))
    return square


def restyled(style: str, name: str, rng: random.Random) -> Image.Image:
    """The sprite as other artists might have it: in one of three cases redrawn, in one of four with other hues, in three
    of ten narrower or lower."""
    picture = sprite(style, name)
    if rng.random() < 0.35:
        colors, outline = rng.choice(((0, 5), (4, 0), (4, 5), (8, 3), (6, 7), (3, 5)))
        picture = redrawn(style, name, colors, outline)
    if rng.random() < 0.25:
        alpha = picture.getchannel("A")
        pixels = np.array(picture.convert("RGB").convert("HSV"))
        pixels[..., 0] += np.uint8(rng.randint(-14, 14) % 256)  # of 256, and wraps around as hues do
        pixels[..., 1] = (pixels[..., 1] * rng.uniform(0.5, 1.5)).clip(0, 255)
        picture = Image.fromarray(pixels, "HSV").convert("RGB")
        picture.putalpha(alpha)
    return squeezed(picture, rng) if rng.random() < 0.3 else picture
