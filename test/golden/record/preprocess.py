"""Records image goldens: python preprocess.py [model folder]

Makes small pictures in every format we decode, and what transformers' image processor turns them into, stored as the
bytes before normalisation (PNG, lossless) plus a few normalised values. Also a table of resize and crop geometry.
"""

import hashlib
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
from common import GOLDEN, MODEL, load_processor
from PIL import Image
from transformers import CLIPImageProcessor, __version__
from transformers.image_transforms import get_resize_output_image_size
from transformers.image_utils import ChannelDimension, load_image

FOLDER = GOLDEN / "preprocess"


def scene(width, height, seed):
    """Gradients, hard edges and a little noise: (height, width, 4) of bytes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack(
        [255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1), 127 + 127 * np.sin((x + 2 * y) / 9), 255 - (x + y) % 256],
        axis=-1,
    )
    for _ in range(6):
        left, top = rng.integers(0, width), rng.integers(0, height)
        pixels[top : top + height // 4 + 1, left : left + width // 4 + 1] = rng.integers(0, 256, 4)
    corner = pixels[: height // 3, : width // 3]
    corner += rng.integers(-20, 21, corner.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def rgb(width, height, seed):
    return Image.fromarray(scene(width, height, seed)[..., :3])


def rgba(width, height, seed):
    return Image.fromarray(scene(width, height, seed))


def png16(path, samples, colour_type):
    """A 16-bit PNG, which Pillow cannot write in colour. samples: (height, width, channels)."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    )


def make_images():
    def save(image, name, **options):
        image.save(FOLDER / name, **options)

    def with_orientation(value):
        exif = Image.Exif()
        exif[0x0112] = value
        return exif

    save(rgb(301, 200, 1), "rgb.png")
    save(rgba(97, 250, 2), "rgba.png")
    save(rgba(150, 151, 3).convert("L"), "grey.png")
    save(rgba(131, 77, 4).convert("LA"), "grey-alpha.png")
    palette = rgb(260, 90, 5).quantize(64)
    save(palette, "palette.png", transparency=bytes(range(0, 256, 4)))
    save(rgb(61, 240, 6).convert("1"), "one-bit.png")
    deep = scene(80, 120, 7).astype(np.uint16) * 256 + 77
    png16(FOLDER / "rgb16.png", deep[..., :3], 2)
    png16(FOLDER / "grey16.png", deep[..., :1], 0)
    save(rgb(40, 500, 8), "tall.png")
    save(rgb(640, 60, 9), "wide.png")
    save(rgb(5, 2, 10), "tiny.png")  # 3 x 2 would be mistaken for (channels, ...)
    save(rgb(224, 224, 11), "exact.png")
    save(rgb(333, 222, 12), "photo.jpg", quality=85)
    save(rgb(225, 301, 13), "progressive.jpg", quality=90, progressive=True, subsampling=0)
    save(rgb(199, 120, 14).convert("L"), "grey.jpg", quality=90)
    save(rgb(200, 123, 15), "turned-6.jpg", quality=90, exif=with_orientation(6))
    save(rgb(121, 203, 16), "turned-7.jpg", quality=90, exif=with_orientation(7))
    save(rgb(180, 140, 17).convert("CMYK"), "cmyk.jpg", quality=92)
    save(rgb(270, 180, 18), "lossy.webp", quality=80)
    save(rgba(143, 201, 19), "alpha.webp", lossless=True, exact=True)
    frames = [rgb(160, 110, seed).quantize(64) for seed in (20, 21)]
    save(frames[0], "animated.gif", save_all=True, append_images=frames[1:], duration=100)


def open_image(path):
    """As transformers opens images; but 16-bit grey, which Pillow clips to white, keeps its upper bytes as colour does."""
    image = Image.open(path)
    if image.mode == "I;16":
        return Image.fromarray((np.array(image) >> 8).astype(np.uint8)).convert("RGB")
    return load_image(str(path))


def record_pixels(processor):
    config = processor.image_processor
    mean, std = np.array(config.image_mean)[:, None, None], np.array(config.image_std)[:, None, None]
    rows = []
    for path in sorted(FOLDER.iterdir()):
        if path.suffix not in (".png", ".jpg", ".webp", ".gif") or ".expected" in path.name:
            continue
        image = open_image(path)
        pixels = processor.image_processor(image, return_tensors="np")["pixel_values"][0]
        levels = (pixels * std + mean) * 255
        assert np.abs(levels - levels.round()).max() < 1e-3, "the processor resizes bytes to bytes"
        Image.fromarray(levels.round().astype(np.uint8).transpose(1, 2, 0)).save(FOLDER / f"{path.name}.expected.png")
        at = [0, 70_000, 150_527]
        rows.append({
            "file": path.name, "size": list(image.size), "sha256": hashlib.sha256(image.tobytes()).hexdigest(),
            "at": at, "values": [float(pixels.reshape(-1)[i]) for i in at],
        })
    return rows


def record_geometry():
    """What transformers resizes to, and where it crops: found by cropping a picture of coordinates."""
    rng = np.random.default_rng(0)
    sides = [1, 2, 3, 7, 99, 223, 224, 225, 336, 337, 500, 1023, 4000]
    sizes = [(w, h) for w in sides for h in sides if max(w, h) / min(w, h) < 150]
    sizes += [tuple(int(v) for v in rng.integers(30, 3000, 2)) for _ in range(60)]
    resizes = []
    for width, height in sizes:
        for shortest in (224, 336, 384):
            new_height, new_width = get_resize_output_image_size(
                np.empty((3, height, width), np.uint8), shortest, False, input_data_format=ChannelDimension.FIRST
            )
            resizes.append([width, height, shortest, int(new_width), int(new_height)])
    crops = []
    for width, height, crop_width, crop_height in [
        (224, 224, 224, 224), (225, 224, 224, 224), (224, 227, 224, 224), (300, 225, 224, 224), (301, 226, 224, 224),
        (223, 224, 224, 224), (221, 219, 224, 224), (100, 301, 224, 224), (301, 99, 224, 224), (10, 11, 21, 20),
        (11, 10, 20, 21), (57, 33, 31, 32),
    ]:
        y, x = np.mgrid[0:height, 0:width]
        picture = np.stack([x % 256, x // 256 * 16 + y // 256, y % 256]).astype(np.uint8) + 0
        picture[1] += 1  # never zero, so padding can be told apart
        seen = CLIPImageProcessor(
            do_resize=False, do_rescale=False, do_normalize=False,
            crop_size={"height": crop_height, "width": crop_width},
        )(picture, return_tensors="np", input_data_format="channels_first")["pixel_values"][0]
        row, column = np.argwhere(seen[1] > 0)[0]
        first_x = int(seen[0, row, column]) + (int(seen[1, row, column]) - 1) // 16 * 256
        first_y = int(seen[2, row, column]) + (int(seen[1, row, column]) - 1) % 16 * 256
        crops.append([width, height, crop_width, crop_height, first_x - int(column), first_y - int(row)])
    return resizes, crops


def main():
    model = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_images()
    images = record_pixels(load_processor(model))
    resizes, crops = record_geometry()
    lists = {"images": images, "resizes": resizes, "crops": crops}
    body = [f'  "recordedWith": {json.dumps(f"transformers {__version__}, Pillow {Image.__version__}")}']
    body += [f'  "{key}": [\n    ' + ",\n    ".join(json.dumps(row) for row in rows) + "\n  ]" for key, rows in lists.items()]
    (FOLDER / "golden.json").write_text("{\n" + ",\n".join(body) + "\n}\n")
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print({key: len(rows) for key, rows in lists.items()}, total, "bytes")


main()
