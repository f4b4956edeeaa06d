"""Tiny random LLaVA-NeXT and LLaVA-OneVision checkpoints and what transformers makes of three pictures of odd aspect ratio.

The logits with half of the visual rows gone are transformers' own layers called one by one, on the rows that stay from
layer CUT on, at their old positions. A newline row is one of the visual rows.
"""

import json
import shutil

import torch
import transformers

from byte_tokenizer import byte_tokenizer
from common import GOLDEN, GoldenWriter
from pictures import picture
from surgery import answer_of, cut_logits, first_seed, halve
from variants import randomise

FOLDER = GOLDEN / "llava-next"
CUT = 2  # decoder layer before which rows leave
TOKENS = 32
PICTURES = {"wide": (150, 57), "tall": (33, 140), "square": (40, 41)}
SPECIAL = ["<s>", "</s>", "<image>", "<video>"]
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }}: {% for line in message['content'] %}"
    "{% if line['type'] == 'text' %}{{ line['text'] }}{% elif line['type'] == 'image' %}{{ '<image>\n' }}{% endif %}"
    "{% endfor %} {% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
CLIP = dict(model_type="clip_vision_model", projection_dim=16)
SIGLIP = dict(model_type="siglip_vision_model", vision_use_head=False)
GRIDS = [[24, 48], [48, 24], [48, 48], [72, 24], [24, 72]]
# name -> what differs. OneVision's pictures are scaled down from one tile's rows on, so that some are and some are not.
MODELS = {
    "llava-next": dict(kind="next", vision=CLIP, size=24, patch=6, text="mistral", grids=GRIDS, tied=False, layer=-2),
    "llava-onevision": dict(kind="onevision", vision=SIGLIP, size=25, patch=5, text="qwen2", tied=True, layer=-1,
                            grids=[[25 * d, 25 * a] for d in (1, 2, 3) for a in (1, 2, 3)], ratio="anyres_max_2"),
}  # fmt: skip


def build(name, o, seed):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = byte_tokenizer(SPECIAL)
    is_next = o["kind"] == "next"
    config_type, model_type, images_type, processor_type = (
        (transformers.LlavaNextConfig, transformers.LlavaNextForConditionalGeneration,
         transformers.LlavaNextImageProcessor, transformers.LlavaNextProcessor)
        if is_next else
        (transformers.LlavaOnevisionConfig, transformers.LlavaOnevisionForConditionalGeneration,
         transformers.LlavaOnevisionImageProcessor, transformers.LlavaOnevisionProcessor)
    )  # fmt: skip
    text = dict(
        model_type=o["text"], vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=4,
        num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=1024, rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0), tie_word_embeddings=o["tied"],
    )  # fmt: skip
    text |= dict(bos_token_id=0, eos_token_id=tokenizer.eos_token_id, pad_token_id=0)
    text |= dict(sliding_window=None, head_dim=8) if o["text"] == "mistral" else dict(use_sliding_window=False)
    vision = o["vision"] | dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
                                image_size=o["size"], patch_size=o["patch"])  # fmt: skip
    extra = {} if is_next else dict(vision_aspect_ratio=o["ratio"])
    config = config_type(
        text_config=text, vision_config=vision, image_grid_pinpoints=o["grids"], vision_feature_layer=o["layer"],
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), tie_word_embeddings=o["tied"], **extra,
    )  # fmt: skip
    model = model_type(config)
    randomise(model, seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    side = o["size"]
    size = {"shortest_edge": side} if is_next else {"height": side, "width": side}
    crop = dict(crop_size={"height": side, "width": side}) if is_next else {}
    images = images_type(size=size, image_grid_pinpoints=o["grids"], **crop)
    rows = (side // o["patch"]) ** 2
    processor = (
        processor_type(images, tokenizer, patch_size=o["patch"], vision_feature_select_strategy="default",
                       num_additional_image_tokens=1, chat_template=TEMPLATE)
        if is_next else
        processor_type(images, tokenizer, transformers.LlavaOnevisionVideoProcessor(), num_image_tokens=rows,
                       vision_feature_select_strategy="full", vision_aspect_ratio=o["ratio"], chat_template=TEMPLATE)
    )  # fmt: skip
    processor.save_pretrained(folder)
    images.save_pretrained(folder)
    (folder / "video_preprocessor_config.json").unlink(missing_ok=True)
    if is_next:  # as published configs spell it
        path = folder / "config.json"
        old = json.loads(path.read_text())
        old["text_config"]["rope_theta"] = old["text_config"].pop("rope_parameters")["rope_theta"]
        old["image_token_index"] = old.pop("image_token_id", old.get("image_token_index"))
        path.write_text(json.dumps(old, indent=2) + "\n")
    loaded, info = model_type.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return loaded.eval(), processor


def record(name, o, seed):
    """Tensors by name, and what else the tests need."""
    model, processor = build(name, o, seed)
    mean, std = (torch.tensor(getattr(processor.image_processor, key)).view(-1, 1, 1) for key in ("image_mean", "image_std"))
    pictures = {label: picture(size, number) for number, (label, size) in enumerate(PICTURES.items())}
    tensors, cases = {}, []
    for number, shown in enumerate([["wide"], ["tall"], ["square"], ["wide", "tall"]]):
        content = [{"type": "image", "image": pictures[label]} for label in shown]
        content.append({"type": "text", "text": "What is it?"})
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt",
        )  # fmt: skip
        key = f"{name}.{'+'.join(shown)}"
        ids = inputs["input_ids"]
        tensors[f"{key}.input_ids"] = ids
        # transformers pads the tiles of smaller pictures; ours follow one another.
        sizes = inputs["image_sizes"]
        lone = inputs.get("batch_num_images", torch.tensor([1]))[0] == 1 or o["kind"] == "next"
        counts = [transformers.models.llava_next.modeling_llava_next.image_size_to_num_patches(
            s, model.config.image_grid_pinpoints, model.config.vision_config.image_size) if lone else 1
            for s in sizes]  # fmt: skip
        pixels = torch.cat([tiles[:n] for tiles, n in zip(inputs["pixel_values"], counts)]).float()
        levels = (pixels * std + mean) * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        tensors[f"{key}.levels"] = levels.round().to(torch.uint8)
        tensors[f"{key}.image_sizes"] = sizes
        rest = {k: v for k, v in inputs.items() if k in ("image_sizes", "batch_num_images", "pixel_values")}
        out = model.model.get_image_features(
            **rest, vision_feature_layer=o["layer"], vision_feature_select_strategy="default" if o["kind"] == "next" else "full"
        )  # fmt: skip
        hidden = out.hidden_states[o["layer"]]
        tensors[f"{key}.features"] = hidden[-1, 1:] if o["kind"] == "next" else hidden[-1]  # of the last tile
        rows = torch.cat(out.pooler_output)
        tensors[f"{key}.projected"] = rows
        full = model(input_ids=ids, **rest).logits
        tensors[f"{key}.logits"] = full[0, -8:]
        embeds = model.get_input_embeddings()(ids)
        visual = ids[0] == model.config.image_token_id
        assert visual.sum() == len(rows)
        embeds[0, visual] = rows
        everything = torch.arange(ids.shape[1])
        decoder = model.model.language_model
        whole = cut_logits(decoder, model.lm_head, embeds, everything, CUT)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        spans = everything[visual].split([len(p) for p in out.pooler_output])
        places, left = halve(spans, torch.Generator().manual_seed(number))
        tensors[f"{key}.kept"] = torch.cat(places)
        left = torch.cat([everything[~visual], left]).sort().values
        tensors[f"{key}.cut"] = cut_logits(decoder, model.lm_head, embeds, left, CUT)
        text = answer_of(model, processor, {"input_ids": ids, **rest}, TOKENS)
        cases.append({"model": name, "pictures": shown, "tiles": counts, "rows": [len(p) for p in out.pooler_output],
                      "kept": [len(p) for p in places], "tokens": TOKENS, "text": text})  # fmt: skip
    return tensors, cases


golden = GoldenWriter(FOLDER, "golden")
FOLDER.mkdir(parents=True, exist_ok=True)
for number, (label, size) in enumerate(PICTURES.items()):
    picture(size, number).save(FOLDER / f"{label}.png")
cases = []
for name, o in MODELS.items():
    tensors, of_model = first_seed(name, lambda seed: record(name, o, seed))
    for key, tensor in tensors.items():
        golden.add(key, tensor)
    cases += of_model
golden.write({"cutLayer": CUT, "cases": cases})
