"""Tiny random LFM2-VL checkpoints in transformers' layout and what transformers makes of pictures of odd aspect ratio.

lfm2-vl is spelled and built like the first published models, lfm2-5-vl like later ones: no norm in the projector, and
whatever else their configs may say. The logits with half of the visual rows gone are transformers' own layers called one
by one, on the rows that stay from layer CUT on, at their old positions: a convolution sees the rows that are left.
"""

import json
import shutil

import torch
import transformers
from PIL import Image

from byte_tokenizer import byte_tokenizer
from common import GOLDEN, GoldenWriter
from surgery import EndsEarly, answer_of, cut_answer, cut_logits, first_seed, halve
from variants import randomise

FOLDER = GOLDEN / "lfm2_vl"
CUT = 2  # decoder layer before which rows leave
CUT_TOKENS = 16
TOKENS = 32
PATCH, FOLD, TILE = 4, 2, 16
# Two that are cut into tiles, one that is made smaller and one that is made larger; other scripts' pictures.
PICTURES = {"wide": "llava-next/wide", "square": "llava-next/square", "slim": "qwen_vl/tall", "small": "qwen_vl/small"}
# Settings that hold pictures to fewer tiles or pixels: what Fovea calls them, and transformers.
CAPS = {
    ("wide", "tiles", 3): {"max_tiles": 2},
    ("square", "tiles", 1): {"do_image_splitting": False},
    ("slim", "pixels", 300): {"max_image_tokens": 4},
}
SPECIAL = {"image_token": "<image>", "image_start_token": "<|image_start|>", "image_end_token": "<|image_end|>",
           "image_thumbnail_token": "<|img_thumbnail|>"}  # fmt: skip
SPECIAL |= {f"tile_{row}_{column}": f"<|img_row_{row}_col_{column}|>" for row in range(1, 4) for column in range(1, 4)}
SPECIAL |= {"turn": "<|im_start|>"}
TEMPLATE = (
    "{{ '<|startoftext|>' }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for line in message['content'] %}"
    "{% if line['type'] == 'text' %}{{ line['text'] }}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Every number differs from the class's default, so that a forgotten one shows.
MODELS = {
    "lfm2-vl": dict(
        text=dict(num_hidden_layers=6, conv_L_cache=3, conv_bias=False,
                  layer_types=["conv", "conv", "full_attention", "conv", "full_attention", "conv"]),
        vision=dict(hidden_size=24, num_hidden_layers=3), norm=True, tied=True,
        prompts=[["wide"], ["square"], ["slim"], ["small"], ["small", "wide"]],
    ),
    "lfm2-5-vl": dict(
        text=dict(num_hidden_layers=3, conv_L_cache=4, conv_bias=True, hidden_size=16,
                  layer_types=["conv", "full_attention", "conv"]),
        vision=dict(hidden_size=16, num_hidden_layers=1), norm=False, tied=False, prompts=[["slim", "square"]],
    ),
}  # fmt: skip


def old_spelling(config):
    """The config as the first models were published."""
    text = config["text_config"]
    kinds = text.pop("layer_types")
    text["full_attn_idxs"] = [i for i, kind in enumerate(kinds) if kind == "full_attention"]
    text["rope_theta"] = text.pop("rope_parameters")["rope_theta"]
    text["block_ff_dim"] = text.pop("intermediate_size")
    text["tie_embedding"] = True
    return config | {"text_config": text, "vision_feature_layer": -1}


def build(name, o, seed):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = byte_tokenizer(["<|startoftext|>", "<|im_end|>"], extra_special_tokens=SPECIAL)
    text = dict(
        model_type="lfm2", vocab_size=len(tokenizer), hidden_size=32, intermediate_size=70, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, norm_eps=1e-4, block_multiple_of=8,
        block_ffn_dim_multiplier=1.1, rope_parameters=dict(rope_type="default", rope_theta=5000.0),
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.bos_token_id,
        tie_word_embeddings=o["tied"],
    )  # fmt: skip
    vision = dict(model_type="siglip2_vision_model", intermediate_size=40, num_attention_heads=2, patch_size=PATCH,
                  num_patches=9, layer_norm_eps=1e-5, vision_use_head=False)  # fmt: skip
    config = transformers.Lfm2VlConfig(
        text_config=text | o["text"], vision_config=vision | o["vision"], downsample_factor=FOLD, projector_hidden_size=40,
        projector_use_layernorm=o["norm"], image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=o["tied"],
    )  # fmt: skip
    model = transformers.Lfm2VlForConditionalGeneration(config)
    randomise(model, seed)
    embeddings = model.get_input_embeddings().weight
    embeddings.mul_(0.3)  # or what a token is would matter more than what it sees
    odd = [i for letter, i in tokenizer.get_vocab().items() if len(letter) > 1 or not "!" <= letter <= "~"]
    for table in (embeddings, model.lm_head.weight)[: 1 if o["tied"] else 2]:
        table[odd] *= 0.1  # bytes and marks, of which answers would be no text
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.to(torch.bfloat16).save_pretrained(folder)
    images = transformers.Lfm2VlImageProcessor(
        downsample_factor=FOLD, encoder_patch_size=PATCH, tile_size=TILE, min_tiles=2, max_tiles=6, min_image_tokens=4,
        max_image_tokens=8, max_pixels_tolerance=1.5,
    )  # fmt: skip
    processor = transformers.Lfm2VlProcessor(images, tokenizer, chat_template=TEMPLATE)
    processor.save_pretrained(folder)
    images.save_pretrained(folder)
    loaded, info = transformers.Lfm2VlForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    published = None
    if name == "lfm2-vl":
        published = old_spelling(json.loads((folder / "config.json").read_text()))
        read = transformers.Lfm2VlConfig(**json.loads(json.dumps(published))).text_config
        ours = loaded.config.text_config
        assert all(getattr(read, key) == getattr(ours, key) for key in ("layer_types", "rope_parameters", "intermediate_size"))
    return loaded.eval(), processor, published


def levels_of(inputs):
    """The tower's pictures as bytes, one behind the other, and the sizes of each in pixels."""
    numbers, sizes = [], []
    for patches, (down, across) in zip(inputs["pixel_values"].float(), inputs["spatial_shapes"].tolist()):
        seen = patches[: down * across].reshape(down, across, PATCH, PATCH, 3).permute(4, 0, 2, 1, 3)
        levels = (seen * 0.5 + 0.5) * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        numbers.append(levels.round().to(torch.uint8).flatten())
        sizes.append([down * PATCH, across * PATCH])
    return torch.cat(numbers), torch.tensor(sizes)


def ask(processor, pictures, **changes):
    content = [{"type": "image", "image": picture} for picture in pictures] + [{"type": "text", "text": "What is it?"}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt", processor_kwargs=changes,
    )  # fmt: skip


def record_model(name, o, seed):
    """Tensors by name, and what else the tests need."""
    model, processor, published = build(name, o, seed)
    pictures = {label: Image.open(GOLDEN / f"{path}.png").convert("RGB") for label, path in PICTURES.items()}
    tensors, cases, caps = {}, [], []
    for number, shown in enumerate(o["prompts"]):
        inputs = ask(processor, [pictures[label] for label in shown])
        key = f"{name}.{'+'.join(shown)}"
        ids = inputs["input_ids"]
        tensors[f"{key}.input_ids"] = ids
        tensors[f"{key}.levels"], tensors[f"{key}.sizes"] = levels_of(inputs)
        seen = [inputs[part] for part in ("pixel_values", "spatial_shapes", "pixel_attention_mask")]
        out = model.model.get_image_features(*seen)
        last = int(seen[2][-1].sum())
        tensors[f"{key}.features"] = out.last_hidden_state[-1, :last]  # of the last tile
        projected = torch.cat(out.pooler_output)
        tensors[f"{key}.projected"] = projected
        full = model(**inputs).logits
        tensors[f"{key}.logits"] = full[0, -4:]
        embeds = model.get_input_embeddings()(ids)
        visual = ids[0] == model.config.image_token_id
        embeds[0, visual] = projected
        everything = torch.arange(ids.shape[1])
        decoder = model.model.language_model
        whole = cut_logits(decoder, model.lm_head, embeds, everything, CUT)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        spans = everything[visual].split([len(rows) for rows in out.pooler_output])
        places, left = halve(spans, torch.Generator().manual_seed(number))
        tensors[f"{key}.kept"] = torch.cat(places)
        left = torch.cat([everything[~visual], left]).sort().values
        tensors[f"{key}.cut"] = cut_logits(decoder, model.lm_head, embeds, left, CUT)
        text = answer_of(model, processor, inputs, TOKENS)
        tokens = cut_answer(decoder, model.lm_head, embeds, left, CUT, CUT_TOKENS)
        spoken = processor.tokenizer.decode(tokens, skip_special_tokens=True)
        same = [case["text"] for case in cases if case["text"][:8] == text[:8]]
        if processor.tokenizer.eos_token_id in tokens or len(set(text)) < 6 or same or (number > 0 and text.startswith(spoken)):
            raise EndsEarly  # or the tests would not see what is wrong
        cases.append({"model": name, "pictures": shown, "rows": [len(rows) for rows in out.pooler_output],
                      "tokens": TOKENS, "text": text, "cut": spoken})  # fmt: skip
    for (label, option, cap), changes in CAPS.items() if name == "lfm2-vl" else ():
        inputs = ask(processor, [pictures[label]], **changes)
        key = f"{name}.{label}.{option}.{cap}"
        tensors[f"{key}.input_ids"] = inputs["input_ids"]
        tensors[f"{key}.sizes"] = levels_of(inputs)[1]
        caps.append({"picture": label, "option": option, "cap": cap, "key": key})
    return tensors, cases, caps, published


golden = GoldenWriter(FOLDER, "golden")
FOLDER.mkdir(parents=True, exist_ok=True)
cases, meta = [], {}
for name, o in MODELS.items():
    tensors, of_model, caps, published = first_seed(name, lambda seed: record_model(name, o, seed))
    for key, tensor in tensors.items():
        golden.add(key, tensor)
    cases += of_model
    if published:
        meta = {"caps": caps, "publishedConfig": published}
golden.write({"cutLayer": CUT, "cutTokens": CUT_TOKENS, "pictures": PICTURES, "cases": cases, **meta})
