"""Tiny random Idefics3 and SmolVLM checkpoints and what transformers makes of three pictures of odd aspect ratio.

The logits with half of the visual rows gone are transformers' own layers called one by one, on the rows that stay from
layer CUT on, at their old positions.
"""

import json
import shutil

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from common import GOLDEN, GoldenWriter
from pictures import picture
from surgery import cut_logits
from variants import randomise

FOLDER = GOLDEN / "idefics3"
CUT = 2  # decoder layer before which rows leave
PICTURES = {"wide": (200, 67), "tall": (33, 150), "square": (40, 41)}
SPECIAL = ["<|im_start|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>"]
SPECIAL += [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == "
    "'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}"
    "{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
# name -> model_type, and what differs: SmolVLM-256M is an idefics3 in published configs, SmolVLM2 a smolvlm.
MODELS = {
    "idefics3": dict(size=24, patch=6, scale=2, longest=96, tied=False),
    "smolvlm": dict(size=32, patch=5, scale=3, longest=96, tied=True),  # 2 pixels of a side are no patch, as at 384 px
}


def write_tokenizer(folder):
    """Bytes as GPT-2 writes them, two newlines as one token as SmolLM has them, and the special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate(letters)} | {"ĊĊ": len(letters)}
    backend = Tokenizer(models.BPE(vocabulary, [("Ċ", "Ċ")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<end_of_utterance>", pad_token="<|im_start|>",
        additional_special_tokens=SPECIAL[2:], model_max_length=1024,
    )  # fmt: skip
    return tokenizer


def build(name, o, seed):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = write_tokenizer(folder)
    kinds = {
        "idefics3": (transformers.Idefics3Config, transformers.Idefics3ForConditionalGeneration,
                     transformers.Idefics3ImageProcessor),
        "smolvlm": (transformers.SmolVLMConfig, transformers.SmolVLMForConditionalGeneration,
                    transformers.SmolVLMImageProcessor),
    }  # fmt: skip
    config_type, model_type, images_type = kinds[name]
    text = dict(
        model_type="llama", vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=4,
        num_attention_heads=6, num_key_value_heads=2, head_dim=8, max_position_embeddings=1024, rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0),
    )  # fmt: skip
    vision = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=2,
                  image_size=o["size"], patch_size=o["patch"])  # fmt: skip
    config = config_type(  # every number differs from the class's default, so that a forgotten one shows
        text_config=text, vision_config=vision, scale_factor=o["scale"], tie_word_embeddings=o["tied"],
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), pad_token_id=0,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    model = model_type(config)
    randomise(model, seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    images = images_type(size={"longest_edge": o["longest"]}, max_image_size={"longest_edge": o["size"]})
    rows = (o["size"] // o["patch"]) ** 2 // o["scale"] ** 2
    # SmolVLM's processor writes images as Idefics3's does, but wants a video processor and num2words.
    processor = transformers.Idefics3Processor(images, tokenizer, image_seq_len=rows, chat_template=TEMPLATE)
    processor.save_pretrained(folder)
    images.save_pretrained(folder)
    if name == "smolvlm":  # SmolVLM2's settings of videos are among those of pictures
        path = folder / "preprocessor_config.json"
        settings = json.loads(path.read_text()) | {"video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": o["size"]}}}
        path.write_text(json.dumps(settings, indent=2) + "\n")
    if name == "idefics3":  # as published configs spell it
        path = folder / "config.json"
        old = json.loads(path.read_text())
        old["text_config"]["rope_theta"] = old["text_config"].pop("rope_parameters")["rope_theta"]
        old["vision_config"]["model_type"] = "idefics3"
        path.write_text(json.dumps(old, indent=2) + "\n")
    loaded, info = model_type.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return loaded.eval(), processor


def record(name, o, seed, golden):
    model, processor = build(name, o, seed)
    cases = []
    for number, (label, size) in enumerate(PICTURES.items()):
        image = picture(size, number)
        image.save(FOLDER / f"{label}.png")
        content = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = processor(text=prompt, images=[image], return_tensors="pt")
        ids, pixels = inputs["input_ids"], inputs["pixel_values"].float()
        key = f"{name}.{label}"
        golden.add(f"{key}.input_ids", ids)
        levels = (pixels[0] * 0.5 + 0.5) * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        golden.add(f"{key}.levels", levels.round().to(torch.uint8))
        out = model.model.get_image_features(pixels)
        golden.add(f"{key}.features", out.last_hidden_state[-1])  # of the whole picture: the last tile
        golden.add(f"{key}.projected", out.pooler_output)
        full = model(input_ids=ids, pixel_values=pixels).logits
        golden.add(f"{key}.logits", full[0, -8:])
        embeds = model.get_input_embeddings()(ids)
        visual = ids[0] == model.config.image_token_id
        embeds[0, visual] = out.pooler_output.reshape(-1, embeds.shape[-1])
        everything = torch.arange(ids.shape[1])
        decoder = model.model.text_model
        whole = cut_logits(decoder, model.lm_head, embeds, everything, CUT)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        rows = everything[visual].reshape(pixels.shape[1], -1)
        generator = torch.Generator().manual_seed(seed + number)
        places = [torch.randperm(rows.shape[1], generator=generator)[: rows.shape[1] // 2].sort().values for _ in rows]
        kept = torch.cat([everything[~visual], *[r[p] for r, p in zip(rows, places)]]).sort().values
        golden.add(f"{key}.kept", torch.stack(places))
        golden.add(f"{key}.cut", cut_logits(decoder, model.lm_head, embeds, kept, CUT))
        answer = model.generate(input_ids=ids, pixel_values=pixels, do_sample=False, max_new_tokens=32,
                                pad_token_id=0)[0, ids.shape[1]:]  # fmt: skip
        answer = [token for token in answer.tolist() if token != processor.tokenizer.eos_token_id]
        spoken = processor.tokenizer.decode(answer, skip_special_tokens=True)
        cases.append({"model": name, "picture": label, "tiles": pixels.shape[1], "tokens": len(answer), "text": spoken})
    return cases


if __name__ == "__main__":
    golden = GoldenWriter(FOLDER, "golden")
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = [case for seed, (name, o) in enumerate(MODELS.items()) for case in record(name, o, seed, golden)]
    golden.write({"cutLayer": CUT, "cases": cases})
