"""Tiny random Qwen2-VL, Qwen2.5-VL and Qwen3-VL checkpoints and what transformers makes of pictures of odd aspect ratio.

The logits with half of the visual rows gone are transformers' own layers called one by one, on the rows that stay from
layer CUT on: at their old positions, and renumbered so that pictures and text behind a gap move up.
"""

import itertools
import json
import shutil

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers.vision_utils import get_vision_window_index

from common import GOLDEN, GoldenWriter
from idefics3 import picture
from variants import randomise

FOLDER = GOLDEN / "qwen_vl"
CUT = 2  # decoder layer before which rows leave
PICTURES = {"wide": (200, 67), "tall": (19, 49), "small": (13, 11)}  # too many pixels, enough, too few
PROMPTS = {"wide": ["wide"], "tall": ["tall"], "small": ["small"], "both": ["tall", "wide"]}
MIN_PIXELS, MAX_PIXELS = 256, 1536
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nLook well.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% elif part['type'] == 'video' %}"
    "{{ '<|vision_start|><|video_pad|><|vision_end|>' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
T = transformers
# Every number differs from the class's default, so that a forgotten one shows.
TEXT = dict(
    hidden_size=48, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=1024, rms_norm_eps=1e-4, use_sliding_window=False,
)  # fmt: skip
VISION = dict(num_heads=2, patch_size=4, spatial_merge_size=2, temporal_patch_size=2)
MODELS = {
    "qwen2_vl": dict(
        config=T.Qwen2VLConfig, model=T.Qwen2VLForConditionalGeneration, processor=T.Qwen2VLProcessor, tied=True,
        text=TEXT | dict(rope_parameters=dict(rope_type="default", rope_theta=5000.0, mrope_section=[1, 2, 3])),
        vision=VISION | dict(depth=3, embed_dim=32, hidden_size=48, mlp_ratio=2),
    ),
    "qwen2_5_vl": dict(
        config=T.Qwen2_5_VLConfig, model=T.Qwen2_5_VLForConditionalGeneration, processor=T.Qwen2_5_VLProcessor,
        tied=False,
        text=TEXT | dict(rope_parameters=dict(rope_type="default", rope_theta=5000.0, mrope_section=[3, 2, 1])),
        vision=VISION | dict(depth=4, hidden_size=32, intermediate_size=40, out_hidden_size=48, window_size=18,
                             fullatt_block_indexes=[1, 3]),
    ),
    "qwen3_vl": dict(
        config=T.Qwen3VLConfig, model=T.Qwen3VLForConditionalGeneration, processor=T.Qwen3VLProcessor, tied=True,
        text={k: v for k, v in TEXT.items() if k != "use_sliding_window"} | dict(head_dim=16, rope_parameters=dict(
            rope_type="default", rope_theta=7000.0, mrope_section=[4, 2, 2], mrope_interleaved=True)),
        vision=VISION | dict(depth=4, hidden_size=16, intermediate_size=40, out_hidden_size=48,
                             num_position_embeddings=25, deepstack_visual_indexes=[0, 1, 2]),
    ),
}  # fmt: skip


def write_tokenizer():
    """Bytes as GPT-2 writes them, and the special tokens."""
    vocabulary = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return T.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|im_end|>",
        additional_special_tokens=SPECIAL, model_max_length=1024,
    )  # fmt: skip


def as_published(folder):
    """Rewrites a folder of Qwen2-VL the way the first ones were published: names, flat config, limits in pixels."""
    weights = load_file(folder / "model.safetensors")
    short = {name.replace("model.visual.", "visual.").replace("model.language_model.", "model."): tensor.contiguous()
             for name, tensor in weights.items()}  # fmt: skip
    save_file(short, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    text = config.pop("text_config")
    rope = text.pop("rope_parameters")
    text |= {"rope_theta": rope["rope_theta"], "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]}}
    config = text | config | {"model_type": "qwen2_vl"}
    config["vision_config"].pop("rope_parameters", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    path = folder / "preprocessor_config.json"
    images = json.loads(path.read_text())
    images.pop("size")
    path.write_text(json.dumps(images | {"min_pixels": MIN_PIXELS, "max_pixels": MAX_PIXELS}, indent=2) + "\n")


def build(name, o, seed):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = write_tokenizer()
    ids = {f"{kind}_token_id": tokenizer.convert_tokens_to_ids(f"<|{kind}_pad|>") for kind in ("image", "video")}
    ids |= {f"vision_{end}_token_id": tokenizer.convert_tokens_to_ids(f"<|vision_{end}|>") for end in ("start", "end")}
    config = o["config"](
        text_config=o["text"] | dict(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id,
                                     bos_token_id=None, pad_token_id=None),
        vision_config=o["vision"], tie_word_embeddings=o["tied"], **ids,
    )  # fmt: skip
    model = o["model"](config)
    randomise(model, seed)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.to(torch.bfloat16).save_pretrained(folder)
    scaling = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3) if name == "qwen3_vl" else {}
    images = T.Qwen2VLImageProcessor(
        size={"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS},
        patch_size=4, merge_size=2, temporal_patch_size=2, **scaling,
    )  # fmt: skip
    sizes = dict(patch_size=4, merge_size=2, temporal_patch_size=2)
    videos = {
        "qwen2_vl": T.Qwen2VLVideoProcessor(),  # the first ones have no settings for videos but those for pictures
        "qwen2_5_vl": T.Qwen2VLVideoProcessor(size={"shortest_edge": 256, "longest_edge": 512}, **sizes),
        "qwen3_vl": T.Qwen3VLVideoProcessor(size={"shortest_edge": 2048, "longest_edge": 4096}, **sizes),
    }[name]
    processor = o["processor"](images, tokenizer, videos, chat_template=TEMPLATE)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    images.save_pretrained(folder)
    if name != "qwen2_vl":
        videos.save_pretrained(folder)
    if name == "qwen2_vl":
        as_published(folder)
    loaded, info = o["model"].from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return loaded.eval(), processor


def raster(rows, grid):
    """Rows (h * w, d), square after square of 2 x 2, as they lie in the picture."""
    _, h, w = grid
    return rows.reshape(h // 2, w // 2, 2, 2, -1).permute(0, 2, 1, 3, 4).reshape(h * w, -1)


def in_squares(model, rows, grids):
    """The tower's rows in the order of squares: Qwen2.5-VL orders the squares by windows."""
    if not hasattr(model.config.vision_config, "window_size"):
        return rows
    windows, _ = get_vision_window_index(grids, 2, model.config.vision_config.window_size, 4)
    return rows.reshape(len(windows), 4, -1)[windows.argsort()].reshape(rows.shape)


def levels(pixels, grid, images):
    """Patches (h * w, 3 * 2 * p * p) as the bytes of their picture (3, height, width)."""
    _, h, w = grid
    p = images.patch_size
    frames = raster(pixels, grid).reshape(h, w, 3, 2, p, p)
    assert (frames[:, :, :, 0] == frames[:, :, :, 1]).all(), "a picture that moves"
    picture = frames[:, :, :, 0].permute(2, 0, 3, 1, 4).reshape(3, h * p, w * p)
    mean, std = (torch.tensor(v)[:, None, None] for v in (images.image_mean, images.image_std))
    bytes_ = (picture * std + mean) * 255
    assert (bytes_ - bytes_.round()).abs().max() < 1e-3
    return bytes_.round().to(torch.uint8)


def starts_of(positions, visual):
    """(n) where the picture of each visual row begins: its first row stands there on every axis."""
    starts = torch.zeros(len(visual), dtype=torch.long)
    for is_visual, group in itertools.groupby(range(len(visual)), lambda row: bool(visual[row])):
        rows = list(group)
        if is_visual:
            starts[rows] = positions[0, rows[0]]
    return starts


def moved_up(positions, visual, starts):
    """Positions (3, n) of rows that are left, where text, pictures and videos close the gaps before them."""
    moved, start = positions.clone(), 0
    for is_visual, group in itertools.groupby(range(len(visual)), lambda row: bool(visual[row])):
        rows = list(group)
        if is_visual:
            moved[:, rows] += start - starts[rows[0]]
        else:
            moved[:, rows] = torch.arange(start, start + len(rows))
        start = int(moved[1:, rows].max()) + 1  # how long a video is does not count
    return moved


def cut_logits(model, embeds, positions, planes, visual, kept, compact=False):
    """Logits of the last row where only the rows `kept` go on from layer CUT. positions (3, n); planes: each (n, d)."""
    text = model.model.language_model
    hidden, starts = embeds[None], starts_of(positions, visual)
    for i, layer in enumerate(text.layers):
        if i == CUT:
            hidden, positions, visual = hidden[:, kept], positions[:, kept], visual[kept]
            planes = [plane[kept] for plane in planes]
            positions = moved_up(positions, visual, starts[kept]) if compact else positions
        n = hidden.shape[1]
        mask = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]
        out = layer(hidden, attention_mask=mask, position_embeddings=text.rotary_emb(hidden, positions[:, None]))
        hidden = out[0] if isinstance(out, tuple) else out
        if i < len(planes):
            hidden = hidden + planes[i]
    return model.lm_head(text.norm(hidden))[0, -1]


def ask(processor, pictures):
    content = [{"type": "image"}, {"type": "text", "text": "What is it?"}] * len(pictures)
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return processor(text=prompt, images=pictures, return_tensors="pt")


def record(name, o, seed, golden):
    model, processor = build(name, o, seed)
    pictures = {label: picture(size, number) for number, (label, size) in enumerate(PICTURES.items())}
    for label, image in pictures.items():
        image.save(FOLDER / f"{label}.png")
    cases = []
    for number, (prompt, labels) in enumerate(PROMPTS.items()):
        key = f"{name}.{prompt}"
        inputs = ask(processor, [pictures[label] for label in labels])
        ids, grids = inputs["input_ids"], inputs["image_grid_thw"]
        golden.add(f"{key}.input_ids", ids)
        if len(labels) == 1:
            golden.add(f"{key}.levels", levels(inputs["pixel_values"], grids[0].tolist(), processor.image_processor))
        seen = model.model.get_image_features(inputs["pixel_values"], grids)
        if len(labels) == 1:
            features = in_squares(model, seen.last_hidden_state, grids)
            golden.add(f"{key}.features", raster(features, grids[0].tolist()))
        projected = torch.cat(seen.pooler_output)
        golden.add(f"{key}.projected", projected)
        full = model(**inputs).logits
        golden.add(f"{key}.logits", full[0, -8:])

        embeds = model.get_input_embeddings()(ids)[0]
        visual = ids[0] == model.config.image_token_id
        embeds[visual] = projected
        planes = []
        for features in getattr(seen, "deepstack_features", None) or []:
            planes.append(torch.zeros_like(embeds))
            planes[-1][visual] = torch.cat(features) if isinstance(features, (list, tuple)) else features
        positions, _ = model.model.get_rope_index(ids, inputs["mm_token_type_ids"], image_grid_thw=grids)
        positions = positions[:, 0]
        everything = torch.arange(ids.shape[1])
        assert (moved_up(positions, visual, starts_of(positions, visual)) == positions).all()
        whole = cut_logits(model, embeds, positions, planes, visual, everything)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        generator = torch.Generator().manual_seed(seed + number)
        per_image = (grids.prod(-1) // 4).tolist()
        places = [torch.randperm(n, generator=generator)[: n // 2].sort().values for n in per_image]
        golden.add(f"{key}.kept", torch.cat(places))
        rows = everything[visual].split(per_image)
        kept = torch.cat([everything[~visual], *[r[p] for r, p in zip(rows, places)]]).sort().values
        golden.add(f"{key}.cut", cut_logits(model, embeds, positions, planes, visual, kept))
        golden.add(f"{key}.cut_compact", cut_logits(model, embeds, positions, planes, visual, kept, compact=True))

        answer = model.generate(**inputs, do_sample=False, max_new_tokens=32, pad_token_id=0)[0, ids.shape[1] :]
        answer = [token for token in answer.tolist() if token != processor.tokenizer.eos_token_id]
        spoken = processor.tokenizer.decode(answer, skip_special_tokens=True)
        cases.append({"model": name, "prompt": prompt, "pictures": labels, "rows": per_image, "tokens": len(answer),
                      "text": spoken})  # fmt: skip
    return cases


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed, (name, o) in enumerate(MODELS.items()):
        golden = GoldenWriter(FOLDER, name)
        cases = record(name, o, seed, golden)
        golden.write({"cutLayer": CUT, "cases": cases})
