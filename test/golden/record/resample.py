"""Records resized images: python resample.py

Small random and smooth images through torchvision's uint8 resize (what transformers' image processors call) and
through Pillow, and whole CLIPImageProcessor runs for windows smaller and larger than the image. Read by
native/test/test_resample.cc.
"""

import numpy as np
import torch
from common import GOLDEN, GoldenWriter
from PIL import Image
from torchvision.transforms.v2 import functional as tvF
from transformers import CLIPImageProcessor

FILTERS = {
    "nearest": (Image.Resampling.NEAREST, tvF.InterpolationMode.NEAREST_EXACT),
    "box": (Image.Resampling.BOX, None),  # torch has no kernel for it
    "bilinear": (Image.Resampling.BILINEAR, tvF.InterpolationMode.BILINEAR),
    "hamming": (Image.Resampling.HAMMING, None),
    "bicubic": (Image.Resampling.BICUBIC, tvF.InterpolationMode.BICUBIC),
    "lanczos": (Image.Resampling.LANCZOS, tvF.InterpolationMode.LANCZOS),
}

# (name, content, width, height, new width, new height)
CASES = [
    ("down", "random", 53, 37, 31, 20),
    ("up", "random", 23, 17, 50, 41),
    ("smooth-down", "smooth", 90, 71, 33, 28),
    ("smooth-up", "smooth", 19, 27, 40, 43),
    ("black-white", "binary", 31, 29, 44, 13),
    ("pixel", "random", 1, 1, 7, 5),
    ("to-pixel", "random", 61, 43, 1, 1),
    ("wide", "random", 401, 3, 16, 16),
    ("tall", "random", 2, 301, 9, 20),
    ("flatten", "random", 40, 64, 57, 3),
    ("only-width", "random", 47, 21, 20, 21),
    ("only-height", "random", 21, 47, 21, 60),
    ("same", "random", 13, 11, 13, 11),
    ("off-by-one", "random", 33, 32, 32, 33),
]

# (name, width, height, shortest edge, crop width, crop height)
WINDOWS = [("crop", 41, 30, 24, 20, 18), ("pad", 17, 21, 15, 24, 28), ("pad-and-crop", 50, 13, 13, 30, 16)]


def image(content, width, height, rng):
    """(height, width, 3) of bytes"""
    if content == "random":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if content == "binary":  # overshoots beyond 0 and 255 with cubic filters
        return (rng.integers(0, 2, (height, width, 3)) * 255).astype(np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / width, 255 * y / height, 127.5 + 127.5 * np.sin((x + 2 * y) / 9)]
    return np.stack(planes, -1).round().astype(np.uint8)


def resize_pillow(pixels, width, height, resample):
    """Width first, as torch does; Pillow alone takes the cheaper order, and clips in between."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((width, image.height), resample).resize((width, height), resample))


def record_resizes(writer, rng):
    cases = []
    for name, content, width, height, new_width, new_height in CASES:
        pixels = image(content, width, height, rng)
        writer.add(f"{name}.in", pixels)
        for filter_name, (pil, torchvision) in FILTERS.items():
            if filter_name != "nearest":  # Pillow's picks another neighbour when two are equally near
                writer.add(f"{name}.{filter_name}.pil", resize_pillow(pixels, new_width, new_height, pil))
            # torch 2.13 asserts on images of one pixel, before or after.
            if torchvision is not None and min(width * height, new_width * new_height) > 1:
                planes = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
                resized = tvF.resize(planes, [new_height, new_width], interpolation=torchvision, antialias=True)
                writer.add(f"{name}.{filter_name}.torchvision", resized.permute(1, 2, 0))
        cases.append({"name": name, "width": width, "height": height, "newWidth": new_width, "newHeight": new_height})
    return cases


def record_windows(writer, rng):
    cases = []
    for name, width, height, edge, crop_width, crop_height in WINDOWS:
        pixels = image("random", width, height, rng)
        processor = CLIPImageProcessor(
            size={"shortest_edge": edge}, crop_size={"width": crop_width, "height": crop_height}
        )
        assert processor.backend == "torchvision"
        values = processor(Image.fromarray(pixels), return_tensors="pt")["pixel_values"][0]
        resized = processor(Image.fromarray(pixels), do_center_crop=False, return_tensors="pt")["pixel_values"][0]
        writer.add(f"{name}.in", pixels)
        writer.add(f"{name}.out", values)
        new_height, new_width = resized.shape[1:]
        # Where transformers' centre crop lands, for an image that it may pad first.
        left = (new_width - crop_width) // 2 if new_width >= crop_width else -((crop_width - new_width) // 2)
        top = (new_height - crop_height) // 2 if new_height >= crop_height else -((crop_height - new_height) // 2)
        cases.append(
            {
                "name": name,
                "width": width,
                "height": height,
                "newWidth": new_width,
                "newHeight": new_height,
                "left": left,
                "top": top,
                "cropWidth": crop_width,
                "cropHeight": crop_height,
                "mean": list(processor.image_mean),
                "std": list(processor.image_std),
            }
        )
    return cases


def main():
    rng = np.random.default_rng(5)
    writer = GoldenWriter(GOLDEN / "resample", "resample")
    resizes = record_resizes(writer, rng)
    writer.write({"resizes": resizes, "windows": record_windows(writer, rng)})


if __name__ == "__main__":
    main()
