"""Pictures held to fewer tiles or pixels, as transformers' processors do it: for test/golden/caps.test.ts.

The checkpoints are those that idefics3.py, llava_next.py, internvl.py and qwen_vl.py wrote. A cap counts what the tower sees
of a picture, the whole one among it; the option that makes a processor do so is found here by trying, the largest first.
"""

import json

import torch
import transformers as T
from PIL import Image

from common import GOLDEN, GoldenWriter
from qwen_vl import levels as levels_of_patches

QUESTION = {"type": "text", "text": "What is it?"}


def processor_of(folder, changes):
    """The folder's own processor, but for some settings of its image processor; video processors are not committed."""
    images = T.AutoImageProcessor.from_pretrained(folder, **changes)
    tokenizer = T.AutoTokenizer.from_pretrained(folder)
    saved = json.loads(path.read_text()) if (path := folder / "processor_config.json").exists() else {}
    options = {k: v for k, v in saved.items() if k not in ("processor_class", "image_processor", "video_processor")}
    template = (folder / "chat_template.jinja").read_text()
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    if kind in ("idefics3", "smolvlm"):
        return T.Idefics3Processor(images, tokenizer, **options, chat_template=template)
    if kind == "llava_next":
        return T.LlavaNextProcessor(images, tokenizer, **options, chat_template=template)
    kinds = {
        "llava_onevision": (T.LlavaOnevisionProcessor, T.LlavaOnevisionVideoProcessor),
        "internvl": (T.InternVLProcessor, T.InternVLVideoProcessor),
        "qwen2_vl": (T.Qwen2VLProcessor, T.Qwen2VLVideoProcessor),
        "qwen2_5_vl": (T.Qwen2_5_VLProcessor, T.Qwen2VLVideoProcessor),
        "qwen3_vl": (T.Qwen3VLProcessor, T.Qwen3VLVideoProcessor),
    }
    processor_type, videos = kinds[kind]
    return processor_type(images, tokenizer, videos(), **options, chat_template=template)


def seen(processor, picture, alone=True):
    """The prompt's inputs, and the tower's pictures as bytes."""
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, QUESTION]}], add_generation_prompt=True
    )
    images = processor.image_processor
    if alone:
        inputs = processor(text=prompt, images=[picture], return_tensors="pt")
    else:  # as one of several pictures
        inputs = images([[picture, picture]], return_tensors="pt")
        rows = processor.num_image_tokens + 1
        inputs = {
            "input_ids": processor.tokenizer(prompt.replace("<image>", "<image>" * rows), return_tensors="pt")["input_ids"],
            "pixel_values": inputs["pixel_values"][:1], "image_sizes": inputs["image_sizes"][:1],
            "batch_num_images": torch.tensor([2]),
        }  # fmt: skip
    pixels = inputs["pixel_values"]
    if "image_grid_thw" in inputs:
        return inputs, levels_of_patches(pixels, inputs["image_grid_thw"][0].tolist(), images)[None]
    pixels = pixels.float().flatten(0, -4)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (images.image_mean, images.image_std))
    levels = (pixels * std + mean) * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    return inputs, levels.round().to(torch.uint8)


def settings(kind, images, cap):
    """What to change of preprocessor_config.json, and perhaps of the model, from the largest to the smallest; the first that
    keeps to the cap is meant."""
    if kind in ("idefics3", "smolvlm"):
        tile = images["max_image_size"]["longest_edge"]
        whole = images["size"]["longest_edge"]
        yield {}
        for side in range(-(-whole // tile) - 1, 1, -1):
            yield {"size": {"longest_edge": side * tile}}
        yield {"do_image_splitting": False}
    elif kind == "internvl":
        yield {"max_patches": max(1, min(images["max_patches"], cap - 1))}
    elif kind in ("llava_next", "llava_onevision"):
        tile = (images["size"].get("shortest_edge") or images["size"]["height"]) ** 2
        yield {"image_grid_pinpoints": [g for g in images["image_grid_pinpoints"] if g[0] * g[1] // tile < cap]}
    else:
        if "max_pixels" in images:  # as published files have it; they win over "size"
            yield {key: min(images[key], cap) for key in ("min_pixels", "max_pixels")}
        else:
            yield {"size": {key: min(images["size"][key], cap) for key in ("shortest_edge", "longest_edge")}}


def record(folder, kind, option, cap, label, golden):
    picture = Image.open(folder.parent / f"{label}.png") if (folder.parent / f"{label}.png").exists() else None
    picture = picture or Image.open(GOLDEN / "llava-next" / f"{label}.png")  # internvl has no pictures of its own
    for changes in settings(kind, json.loads((folder / "preprocessor_config.json").read_text()), cap):
        alone = changes.get("image_grid_pinpoints") != []
        processor = processor_of(folder, changes if alone else {})
        inputs, levels = seen(processor, picture, alone)
        size = levels.shape[0] if option == "tiles" else levels.shape[-1] * levels.shape[-2]
        if size <= cap:
            break
    assert size <= cap
    model = T.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    if "image_grid_pinpoints" in changes and alone:
        model.config.image_grid_pinpoints = changes["image_grid_pinpoints"]
    name = f"{folder.name}.{label}.{cap}"
    golden.add(f"{name}.input_ids", inputs["input_ids"])
    golden.add(f"{name}.levels", levels)
    golden.add(f"{name}.logits", model(**inputs).logits[0, -1:])
    print(name, changes, list(levels.shape))
    return {"name": name, "folder": f"{folder.parent.name}/{folder.name}", "option": option, "cap": cap, "picture": label}


if __name__ == "__main__":
    golden, cases = GoldenWriter(GOLDEN / "caps", "golden"), []
    for place, kind, option, caps in [
        ("idefics3/idefics3", "idefics3", "tiles", {"wide": (1, 4, 1000), "tall": (3, 5)}),
        ("idefics3/smolvlm", "smolvlm", "tiles", {"wide": (1, 3), "square": (2, 5)}),
        ("llava-next/llava-next", "llava_next", "tiles", {"wide": (3,), "tall": (3, 4), "square": (4,)}),
        ("llava-next/llava-onevision", "llava_onevision", "tiles", {"wide": (1, 2, 4), "tall": (1, 3), "square": (3,)}),
        ("internvl/internvl", "internvl", "tiles", {"wide": (1, 2, 3), "tall": (4, 5)}),
        ("qwen_vl/qwen2_vl", "qwen2_vl", "pixels", {"wide": (1000, 200), "tall": (500,)}),
        ("qwen_vl/qwen2_5_vl", "qwen2_5_vl", "pixels", {"wide": (1300,), "small": (64,)}),
        ("qwen_vl/qwen3_vl", "qwen3_vl", "pixels", {"wide": (900,), "tall": (300,)}),
    ]:  # fmt: skip
        for label, sizes in caps.items():
            for cap in sizes:
                cases.append(record(GOLDEN / place, kind, option, cap, label, golden))
    golden.write({"cases": cases})
