"""Tiny random PaliGemma and PaliGemma 2 checkpoints and what transformers makes of three pictures of odd aspect ratio.

The logits with half of the visual rows gone are transformers' own layers called one by one, on the rows that stay from
layer CUT on, under masks that are written out here: at the old positions, and renumbered. So is an answer: all of it
again for each token. The window is shorter than a picture; only the answer's tokens keep to it.
"""

import shutil

import torch
import transformers

from common import GOLDEN, GoldenWriter  # first: it makes torchvision importable
from gemma_tokenizer import gemma_tokenizer
from pictures import picture
from surgery import EndsEarly, answer_of, first_seed, halve
from transformers.models.paligemma import processing_paligemma
from variants import randomise

FOLDER = GOLDEN / "paligemma"
CUT = 2  # decoder layer before which rows leave
TOKENS = 32
CUT_TOKENS = 10
SIZE, PATCH, WINDOW = 20, 4, 12
ROWS = (SIZE // PATCH) ** 2
# Those of llava_next.py, which writes them into its folder.
PICTURES = {"wide": (150, 57), "tall": (33, 140), "square": (40, 41)}
TEXT = dict(hidden_size=24, intermediate_size=36, num_attention_heads=4, head_dim=8, max_position_embeddings=1024,
            rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=5000.0), bos_token_id=2,
            eos_token_id=1, pad_token_id=0)  # fmt: skip
MODELS = {
    "paligemma": TEXT | dict(model_type="gemma", num_hidden_layers=4, num_key_value_heads=1, hidden_act="gelu"),
    "paligemma2": TEXT | dict(model_type="gemma2", num_hidden_layers=6, num_key_value_heads=2, sliding_window=WINDOW,
                              query_pre_attn_scalar=10, attn_logit_softcapping=4.0),
}  # fmt: skip
# Over a thousand tokens for places in pictures, which no test needs.
processing_paligemma.EXTRA_TOKENS = ["<loc0000>", "<seg000>"]


def build(name, text, seed):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = gemma_tokenizer(extra_special_tokens={"image_token": "<image>"})
    images = transformers.SiglipImageProcessor(size={"height": SIZE, "width": SIZE}, image_seq_length=ROWS)
    images.image_seq_length = ROWS
    processor = transformers.PaliGemmaProcessor(images, tokenizer)
    vision = dict(model_type="siglip_vision_model", hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                  num_attention_heads=2, image_size=SIZE, patch_size=PATCH, layer_norm_eps=1e-5, vision_use_head=False)  # fmt: skip
    config = transformers.PaliGemmaConfig(
        text_config=text | dict(vocab_size=len(tokenizer)), vision_config=vision, projection_dim=24, hidden_size=24,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), vocab_size=len(tokenizer),
    )  # fmt: skip
    model = transformers.PaliGemmaForConditionalGeneration(config)
    randomise(model, seed)
    for key, weight in model.named_parameters():
        if "norm" in key and "layer_norm" not in key and "post_layernorm" not in key:
            weight.sub_(1)  # what is added to 1
        if "embed_tokens" in key:
            weight.mul_(0.2)  # or every token would say itself again
            weight[4:260].mul_(0.1)  # bytes, of which answers would be no text
    model.generation_config.eos_token_id = 1
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    images.save_pretrained(folder)
    loaded, info = transformers.PaliGemmaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return loaded.eval(), processor


def mask_of(positions, n_prompt, window):
    """0 where row i sees row j: a prompt's rows one another, later ones those before them, in a window; else nothing."""
    n = len(positions)
    before = torch.ones(n, n, dtype=torch.bool).tril() & (positions[None] > positions[:, None] - window)
    rows = torch.arange(n)
    sees = before | ((rows[:, None] < n_prompt) & (rows[None] < n_prompt))
    return torch.zeros(n, n).masked_fill(~sees, torch.finfo(torch.float32).min)[None, None]


def cut_logits(model, embeds, kept, answered=0, compact=False, window=WINDOW, n_prompt=None):
    """Logits of the last row where only the rows `kept` go on from layer CUT; the last `answered` were generated."""
    text = model.model.language_model
    hidden, positions = embeds, torch.arange(embeds.shape[1])
    for i, layer in enumerate(text.layers):
        if i == CUT:
            hidden, positions = hidden[:, kept], positions[kept]
            positions = torch.arange(len(kept)) if compact else positions
        is_near = getattr(text.config, "layer_types", ["full_attention"] * 99)[i] == "sliding_attention"
        whole = hidden.shape[1] - answered if n_prompt is None else n_prompt
        mask = mask_of(positions, whole, window if is_near else 10**6)
        out = layer(hidden, attention_mask=mask, position_ids=positions[None] + 1,
                    position_embeddings=text.rotary_emb(hidden, positions[None] + 1))  # fmt: skip
        hidden = out[0] if isinstance(out, tuple) else out
    return model.lm_head(text.norm(hidden))[0, -1]


def cut_answer(model, embeds, kept, compact):
    """Greedy tokens after such a prompt, everything computed anew for each."""
    tokens = []
    for n in range(CUT_TOKENS):
        tokens.append(int(cut_logits(model, embeds, kept, n, compact).argmax()))
        embeds = torch.cat([embeds, model.get_input_embeddings()(torch.tensor([tokens[-1:]]))], 1)
        kept = torch.cat([kept, torch.tensor([embeds.shape[1] - 1])])
    return tokens


def record(name, text, seed):
    """Tensors by name, and what else the tests need."""
    model, processor = build(name, text, seed)
    pictures = {label: picture(size, number) for number, (label, size) in enumerate(PICTURES.items())}
    tensors, cases = {}, []
    for number, shown in enumerate([["wide"], ["tall"], ["square"], ["wide", "tall"]]):
        inputs = processor(images=[[pictures[label] for label in shown]], text=["<image>" * len(shown) + "What is it?"],
                           return_tensors="pt")  # fmt: skip
        inputs.pop("labels")
        assert (inputs["token_type_ids"] == 0).all()
        key = f"{name}.{'+'.join(shown)}"
        ids, pixels = inputs["input_ids"], inputs["pixel_values"].float()
        tensors[f"{key}.input_ids"] = ids
        levels = (pixels * 0.5 + 0.5) * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        tensors[f"{key}.levels"] = levels.round().to(torch.uint8)
        out = model.model.get_image_features(pixels)
        tensors[f"{key}.features"] = out.last_hidden_state[-1]  # of the last picture
        tensors[f"{key}.projected"] = out.pooler_output
        full = model(**inputs).logits
        tensors[f"{key}.logits"] = full[0, -4:]
        embeds = model.get_input_embeddings()(ids)
        visual = ids[0] == model.config.image_token_id
        embeds[0, visual] = out.pooler_output.flatten(0, 1)
        everything = torch.arange(ids.shape[1])
        whole = cut_logits(model, embeds, everything)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        causal = cut_logits(model, embeds, everything, n_prompt=0)
        assert (whole - causal).abs().max() > 1e-2 * full.abs().max(), "the tests would not see a causal mask"
        places, left = halve(everything[visual].split(ROWS), torch.Generator().manual_seed(number))
        tensors[f"{key}.kept"] = torch.stack(places)
        left = torch.cat([everything[~visual], left]).sort().values
        text = answer_of(model, processor, inputs, TOKENS)
        if len(set(text)) < 6 or "\ufffd" in text:
            raise EndsEarly
        case = {"model": name, "pictures": shown, "tokens": TOKENS, "text": text}
        for policy in ("original", "compact"):
            tensors[f"{key}.cut.{policy}"] = cut_logits(model, embeds, left, compact=policy == "compact")
            if len(shown) == 2:
                tokens = cut_answer(model, embeds, left, policy == "compact")
                if 1 in tokens:
                    raise EndsEarly
                case[policy] = processor.tokenizer.decode(tokens, skip_special_tokens=True)
        cases.append(case)
    return tensors, cases


golden = GoldenWriter(FOLDER, "golden")
FOLDER.mkdir(parents=True, exist_ok=True)
every = []
for name, text in MODELS.items():
    tensors, cases = first_seed(name, lambda seed: record(name, text, seed))
    for key, tensor in tensors.items():
        golden.add(key, tensor)
    every += cases
golden.write({"cutLayer": CUT, "cutTokens": CUT_TOKENS, "cases": every})
