"""A tiny random InternVL checkpoint in transformers' layout and what transformers makes of three pictures of odd aspect ratio.

The logits with half of the visual rows gone are transformers' own layers called one by one, on the rows that stay from
layer CUT on, at their old positions.
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

FOLDER = GOLDEN / "internvl"
NAME = "internvl"
CUT = 2  # decoder layer before which rows leave
TOKENS = 32
SIZE, PATCH, FOLD = 24, 4, 2
# Those of llava_next.py, which writes them into its folder.
PICTURES = {"wide": (150, 57), "tall": (33, 140), "square": (40, 41)}
SPECIAL = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
           "video_token": "<video>"}  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}{{ '<s>' + message['role'] + '\n' }}{% for line in message['content'] %}"
    "{% if line['type'] == 'text' %}{{ line['text'] }}{% elif line['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% endif %}"
    "{% endfor %}{{ '</s>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)


def build(seed):
    folder = FOLDER / NAME
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = byte_tokenizer(["<s>", "</s>"], extra_special_tokens=SPECIAL)
    text = dict(
        model_type="qwen2", vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=4,
        num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=1024, rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=100000.0), use_sliding_window=False,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    vision = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2, attention_bias=True,
                  image_size=[SIZE, SIZE], patch_size=[PATCH, PATCH], layer_norm_eps=1e-5)  # fmt: skip
    rows = (SIZE // PATCH // FOLD) ** 2
    config = transformers.InternVLConfig(
        text_config=text, vision_config=vision, downsample_ratio=1 / FOLD, image_seq_length=rows,
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"), tie_word_embeddings=False,
    )  # fmt: skip
    model = transformers.InternVLForConditionalGeneration(config)
    randomise(model, seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    images = transformers.GotOcr2ImageProcessor(
        size={"height": SIZE, "width": SIZE}, max_patches=6, image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    processor = transformers.InternVLProcessor(
        images, tokenizer, transformers.InternVLVideoProcessor(), image_seq_length=rows, chat_template=TEMPLATE
    )
    processor.save_pretrained(folder)
    images.save_pretrained(folder)
    (folder / "video_preprocessor_config.json").unlink(missing_ok=True)
    path = folder / "config.json"  # as published configs spell it
    old = json.loads(path.read_text())
    rope = old["text_config"].pop("rope_parameters")
    old["text_config"] |= {"rope_theta": rope["rope_theta"], "rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}
    path.write_text(json.dumps(old, indent=2) + "\n")
    loaded, info = transformers.InternVLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return loaded.eval(), processor


def record(seed):
    """Tensors by name, and what else the tests need."""
    model, processor = build(seed)
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
        key = f"{NAME}.{'+'.join(shown)}"
        ids, pixels = inputs["input_ids"], inputs["pixel_values"].float()
        tensors[f"{key}.input_ids"] = ids
        levels = (pixels * std + mean) * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        tensors[f"{key}.levels"] = levels.round().to(torch.uint8)
        out = model.model.get_image_features(pixels, vision_feature_layer=-1, vision_feature_select_strategy="default")
        tensors[f"{key}.features"] = out.last_hidden_state[-1, 1:]  # of the last tile
        tensors[f"{key}.projected"] = out.pooler_output
        rest = {"pixel_values": pixels}
        full = model(input_ids=ids, **rest).logits
        tensors[f"{key}.logits"] = full[0, -8:]
        embeds = model.get_input_embeddings()(ids)
        visual = ids[0] == model.config.image_token_id
        embeds[0, visual] = out.pooler_output.flatten(0, 1)
        everything = torch.arange(ids.shape[1])
        decoder = model.model.language_model
        whole = cut_logits(decoder, model.lm_head, embeds, everything, CUT)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        spans = everything[visual].split(out.pooler_output.shape[1])
        places, left = halve(spans, torch.Generator().manual_seed(number))
        tensors[f"{key}.kept"] = torch.stack(places)
        left = torch.cat([everything[~visual], left]).sort().values
        tensors[f"{key}.cut"] = cut_logits(decoder, model.lm_head, embeds, left, CUT)
        text = answer_of(model, processor, {"input_ids": ids, **rest}, TOKENS)
        cases.append({"pictures": shown, "tiles": len(pixels), "tokens": TOKENS, "text": text})
    return tensors, cases


golden = GoldenWriter(FOLDER, "golden")
FOLDER.mkdir(parents=True, exist_ok=True)
tensors, cases = first_seed(NAME, record)
for key, tensor in tensors.items():
    golden.add(key, tensor)
golden.write({"cutLayer": CUT, "cases": cases})
