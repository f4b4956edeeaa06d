"""Small pictures that recordings make up."""

import numpy as np
from PIL import Image


def picture(size, seed):
    """Soft colours with edges in them, as lossless PNG."""
    rng = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / rng.uniform(3, 30) + y / rng.uniform(3, 30) + rng.uniform(0, 6)) for _ in range(3)]
    levels = 128 + 90 * np.stack(waves, -1) + rng.normal(0, 12, (height, width, 3))
    levels[height // 3 : height // 2, width // 4 : width // 2] = rng.integers(0, 255, 3)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def clip(size, frames, seed):
    """Frames of a picture that passes by, in the colours that a GIF has."""
    width, height = size
    wide = picture((width + 6 * frames, height + frames), seed)
    shown = [wide.crop((6 * i, i, 6 * i + width, i + height)) for i in range(frames)]
    palette = wide.quantize(64)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in shown]
