"""Tiny random LLaVA checkpoints, one per thing that a loader can misread, with the logits transformers gives for them.

Every variant names the misreading it exists to catch; the recording fails when that misreading would go unnoticed.
"""

import json
import shutil

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from common import GOLDEN, GoldenWriter, load_llava

FOLDER = GOLDEN / "variants"
VOCAB, IMAGE_TOKEN = 64, 3
NOTICEABLE = 2e-4  # of the largest logit; the tests allow 1e-4

TEXT = dict(
    model_type="llama", vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5,
    bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False,
)  # fmt: skip
VISION = dict(
    model_type="clip_vision_model", hidden_size=16, intermediate_size=32, num_hidden_layers=3,
    num_attention_heads=2, image_size=28, patch_size=14, projection_dim=16,
)  # fmt: skip
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)  # fmt: skip
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)

# name -> what differs from the plain checkpoint. `misread`: (path in config.json, the value a careless loader would use).
VARIANTS = {
    "f32-untied-gqa4": dict(
        dtype="float32", text=dict(num_key_value_heads=1, intermediate_size=40), misread=("vision_feature_layer", -1), padded=True),
    "f16-full-mha": dict(
        dtype="float16", text=dict(num_key_value_heads=4), top=dict(vision_feature_select_strategy="full"), images=2,
        misread=("vision_feature_layer", -1)),
    "bf16-feature-list": dict(
        dtype="bfloat16", top=dict(vision_feature_layer=[-3, 1, -1]), misread=("vision_feature_layer", [-1, -1, -1])),
    "tied-42px": dict(
        text=dict(tie_word_embeddings=True), vision=dict(image_size=42), images=2,
        misread=("text_config.rms_norm_eps", 0.1)),
    "projector-relu-no-bias": dict(
        top=dict(projector_hidden_act="relu", multimodal_projector_bias=False),
        misread=("projector_hidden_act", "gelu")),
    "projector-gelu-tanh": dict(
        top=dict(projector_hidden_act="gelu_pytorch_tanh"), misread=("projector_hidden_act", "gelu")),
    "vision-gelu": dict(
        vision=dict(hidden_act="gelu", layer_norm_eps=1e-2), misread=("vision_config.hidden_act", "quick_gelu")),
    "rope-theta": dict(
        text=dict(rope_parameters=dict(rope_type="default", rope_theta=500000.0), head_dim=16),
        misread=("text_config.rope_parameters.rope_theta", 10000.0)),
    "rope-linear-old-spelling": dict(
        text=dict(rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0)),
        rope="scaling", misread=("text_config.rope_scaling", None)),
    "rope-llama3": dict(
        text=dict(rope_parameters=dict(LLAMA3, rope_theta=50000.0), head_dim=16), long=True,
        misread=("text_config.rope_parameters.rope_type", "default")),
    "rope-llama3-old-spelling": dict(
        text=dict(rope_parameters=dict(LLAMA3, rope_theta=50000.0), head_dim=16), long=True,
        rope="scaling", misread=("text_config.rope_scaling", None)),
    "llava15-keys": dict(
        keys="llava15", vision=dict(hidden_act="quick_gelu"), text=dict(num_key_value_heads=4, rms_norm_eps=1e-6),
        misread=("vision_feature_layer", -1)),
    "new-keys": dict(keys="new", misread=("vision_feature_layer", -1)),
    "head-dim": dict(text=dict(head_dim=12), misread=("text_config.rope_parameters.rope_theta", 100.0)),
    "decoder-biases": dict(
        text=dict(attention_bias=True, mlp_bias=True), misread=("text_config.rms_norm_eps", 0.1)),
    "sharded": dict(shard="40KB", misread=("vision_feature_layer", -1)),
    "rope-yarn": dict(
        text=dict(rope_parameters=dict(YARN, rope_theta=50000.0), head_dim=16), long=True,
        misread=("text_config.rope_parameters.attention_factor", 1.0)),
    "rope-yarn-old-spelling": dict(
        text=dict(rope_parameters=dict(YARN, rope_theta=50000.0, mscale=1.0, mscale_all_dim=0.5, beta_fast=16, beta_slow=0.5),
                  head_dim=16),
        long=True, rope="scaling", misread=("text_config.rope_scaling.mscale_all_dim", None)),
}  # fmt: skip


def randomise(model, seed):
    """Weights large enough that attention is far from uniform and every bias, norm and activation matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in sorted(model.named_parameters()):
        noise = torch.randn(weight.shape, generator=generator)
        if name.endswith("bias"):
            value = 0.3 * noise
        elif "norm" in name or "layrnorm" in name:
            value = 1 + 0.2 * noise
        elif "embed" in name and "patch" not in name:
            value = noise
        else:
            gain = 2.5 if "q_proj" in name or "k_proj" in name else 1.5
            value = noise * gain / weight[0].numel() ** 0.5
        weight.copy_(value)


def build(name, options, seed):
    """Writes the checkpoint folder."""
    top = dict(projector_hidden_act="gelu", vision_feature_layer=-2, vision_feature_select_strategy="default")
    text, vision = TEXT | options.get("text", {}), VISION | options.get("vision", {})
    top |= dict(image_token_index=IMAGE_TOKEN, tie_word_embeddings=text["tie_word_embeddings"]) | options.get("top", {})
    config = transformers.LlavaConfig(text_config=text, vision_config=vision, **top)
    model = transformers.LlavaForConditionalGeneration(config)
    randomise(model, seed)
    model = model.to(getattr(torch, options.get("dtype", "float16")))
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size=options.get("shard", "1GB"))
    if options.get("rope") == "scaling":
        edit_config(folder, old_rope)
    if "keys" in options:
        rename_keys(folder, options["keys"])
        if options["keys"] == "llava15":
            edit_config(folder, llava15_config)
    write_processor(folder, config, nested=options.get("keys") == "new")
    return folder


def edit_config(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config, indent=2) + "\n")


def old_rope(config):
    """`rope_theta` beside `rope_scaling`, as checkpoints before transformers 5 spell it."""
    text = config["text_config"]
    rope = text.pop("rope_parameters")
    text["rope_theta"] = rope.pop("rope_theta")
    if rope["rope_type"] == "linear":
        rope["type"] = rope.pop("rope_type")
    text["rope_scaling"] = rope


def llava15_config(config):
    """The shape of published LLaVA-1.5 configs: whatever equals a default is left out."""
    text, vision = config["text_config"], config["vision_config"]
    keep = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "model_type"]
    config["text_config"] = {k: text[k] for k in [*keep, "max_position_embeddings"]} | {"torch_dtype": "float16"}
    config["vision_config"] = {k: vision[k] for k in [*keep[:4], "model_type", "image_size", "patch_size"]}
    for key in ["dtype", "image_seq_length", "vision_feature_layer", "vision_feature_select_strategy", "projector_hidden_act",
                "multimodal_projector_bias", "transformers_version"]:  # fmt: skip
        config.pop(key, None)
    config |= {"torch_dtype": "float16", "ignore_index": -100, "pad_token_id": 0, "vocab_size": VOCAB}


def rename_keys(folder, style):
    """`llava15`: language_model.model.*, vision_tower.vision_model.*; `new`: model.language_model.*, lm_head.weight."""
    path = folder / "model.safetensors"
    renamed = {}
    for key, value in load_file(path).items():
        part, rest = key.removeprefix("model.").split(".", 1)
        rest = rest.removeprefix("model.").removeprefix("vision_model.")
        if part == "lm_head" or rest.startswith("lm_head"):
            new = {"llava15": "language_model.lm_head.weight", "new": "lm_head.weight"}[style]
        elif style == "new":
            new = f"model.{part}.{rest}"
        else:
            new = {"language_model": "language_model.model.", "vision_tower": "vision_tower.vision_model."}.get(
                part, part + "."
            ) + rest
        renamed[new] = value
    save_file(renamed, path, metadata={"format": "pt"})


def write_processor(folder, config, nested):
    """A word-level tokenizer and CLIP preprocessing, so that the folder is complete.

    `nested`: image settings only inside processor_config.json, which is all that transformers 5 writes.
    """
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, "<image>": 3} | {f"w{i}": i for i in range(4, VOCAB)}
    backend = Tokenizer(models.WordLevel(words, unk_token="w4"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="w4",
        extra_special_tokens={"image_token": "<image>"}, model_max_length=256,
    )  # fmt: skip
    size = config.vision_config.image_size
    images = transformers.CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    if not nested:
        images.save_pretrained(folder)
    strategy = config.vision_feature_select_strategy
    template = (
        "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image> {% else %}"
        "{{ c['text'] + ' ' }}{% endif %}{% endfor %}{% endfor %}"
    )
    transformers.LlavaProcessor(
        image_processor=images, tokenizer=tokenizer, patch_size=14, vision_feature_select_strategy=strategy,
        num_additional_image_tokens=1, chat_template=template,
    ).save_pretrained(folder)  # fmt: skip


def make_inputs(config, options, seed):
    """One prompt: words, the rows of each image, words."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def words(n):
        return torch.randint(4, VOCAB, (n,), generator=generator)

    rows = (config.vision_config.image_size // 14) ** 2 + (config.vision_feature_select_strategy == "full")
    parts = [torch.tensor([1]), words(5)]
    for _ in range(options.get("images", 1)):
        parts += [torch.full((rows,), IMAGE_TOKEN), words(4)]
    parts.append(words(60 if options.get("long") else 6))
    size = config.vision_config.image_size
    pixels = torch.randn(options.get("images", 1), 3, size, size, generator=generator).half()
    return torch.cat(parts)[None], pixels


def misread_logits(folder, misread, inputs):
    """Logits of the same folder under the misreading."""
    copy = folder.with_name(folder.name + ".misread")
    shutil.copytree(folder, copy)
    try:
        path, value = misread

        def change(config):
            *parents, last = path.split(".")
            for key in parents:
                config = config[key]
            config[last] = value

        edit_config(copy, change)
        return load_llava(copy)(**inputs).logits
    finally:
        shutil.rmtree(copy)


def record(name, options, seed, golden):
    """Builds, reloads what was written, and stores inputs and logits."""
    folder = build(name, options, seed)
    model = load_llava(folder)
    ids, pixels = make_inputs(model.config, options, seed)
    inputs = dict(input_ids=ids, pixel_values=pixels.float())
    logits = model(**inputs).logits
    largest = logits.abs().max()
    apart = (misread_logits(folder, options["misread"], inputs) - logits).abs().max() / largest
    assert apart > NOTICEABLE, f"{name}: {options['misread']} changes the logits by only {apart:.1e}"
    golden.add(f"{name}.input_ids", ids)
    golden.add(f"{name}.pixel_values", pixels)
    golden.add(f"{name}.logits", logits)
    size = sum(f.stat().st_size for f in folder.glob("*.safetensors"))
    assert size <= 150_000, (name, size)
    print(f"{name:26} {size:7} bytes, largest logit {largest:.1f}, misreading moves them by {apart:.2%}")
    if options.get("padded"):
        record_padded(name, model, inputs, golden)
    return {"name": name, "images": len(pixels), "padded": bool(options.get("padded"))}


def record_padded(name, model, inputs, golden):
    """A batch of this prompt and a shorter one without its last words, padded on either side."""
    ids = inputs["input_ids"][0]
    short = ids[:-5]
    pixels = inputs["pixel_values"].repeat(2, 1, 1, 1)
    pixels[1] = pixels[1].flip(-1)
    golden.add(f"{name}.padded.pixel_values", pixels.half())
    for side in ["left", "right"]:
        pad, ones = torch.zeros(len(ids) - len(short), dtype=torch.long), torch.ones(len(short), dtype=torch.long)
        order = (lambda a, b: torch.cat([a, b])) if side == "left" else (lambda a, b: torch.cat([b, a]))
        batch = torch.stack([ids, order(pad, short)])
        mask = torch.stack([torch.ones_like(ids), order(pad, ones)])
        logits = model(input_ids=batch, attention_mask=mask, pixel_values=pixels).logits
        golden.add(f"{name}.{side}.input_ids", batch)
        golden.add(f"{name}.{side}.attention_mask", mask)
        golden.add(f"{name}.{side}.logits", logits * mask[..., None])


def main():
    golden = GoldenWriter(FOLDER, "golden")
    variants = [record(name, options, seed, golden) for seed, (name, options) in enumerate(VARIANTS.items())]
    golden.write({"variants": variants})


if __name__ == "__main__":
    main()
