"""A tiny random Gemma 3 checkpoint and what transformers makes of three pictures of odd aspect ratio.

The window is shorter than a picture and much shorter than a prompt. The logits with half of the visual rows gone are
transformers' own layers called one by one, on the rows that stay from layer CUT on, under masks that are written out
here: at the old positions, and renumbered. So is an answer: all of it again for each token.
"""

import json
import shutil

import torch
import transformers

from common import GOLDEN, GoldenWriter
from gemma_tokenizer import gemma_tokenizer
from pictures import picture
from surgery import EndsEarly, answer_of, first_seed, halve
from variants import randomise

FOLDER = GOLDEN / "gemma3"
NAME = "gemma3"
CUT = 2  # decoder layer before which rows leave
TOKENS = 32
CUT_TOKENS = 10
SIZE, PATCH, ROWS, WINDOW = 32, 4, 16, 12
# Those of llava_next.py, which writes them into its folder.
PICTURES = {"wide": (150, 57), "tall": (33, 140), "square": (40, 41)}
SPECIAL = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
# As published, in short: a line break stands before the picture's mark, which brings two more.
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<start_of_image>' }}{% else %}{{ part['text'] | trim }}{% endif %}{% endfor %}"
    "{% endif %}{{ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def old_spelling(config):
    """The config as Gemma 3 was published: one RoPE per field, the pattern as a number."""
    text = dict(config["text_config"])
    rope = text.pop("rope_parameters")
    text.pop("layer_types")
    text.pop("_sliding_window_pattern", None)
    text |= {"sliding_window_pattern": 6, "rope_theta": rope["full_attention"]["rope_theta"],
             "rope_local_base_freq": rope["sliding_attention"]["rope_theta"],
             "rope_scaling": {"rope_type": "linear", "factor": rope["full_attention"]["factor"]}}  # fmt: skip
    return config | {"text_config": text}


def build(seed):
    folder = FOLDER / NAME
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = gemma_tokenizer(extra_special_tokens=SPECIAL)
    ids = {key.replace("_token", "_token_index"): tokenizer.convert_tokens_to_ids(token) for key, token in SPECIAL.items()}
    text = dict(
        vocab_size=len(tokenizer), hidden_size=24, intermediate_size=36, num_hidden_layers=7, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=1024, rms_norm_eps=1e-5, query_pre_attn_scalar=10,
        sliding_window=WINDOW, rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=50000.0),
            sliding_attention=dict(rope_type="default", rope_theta=1000.0)),
        bos_token_id=2, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    vision = dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE,
                  patch_size=PATCH, layer_norm_eps=1e-5, vision_use_head=False)  # fmt: skip
    config = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=ROWS, **ids)
    model = transformers.Gemma3ForConditionalGeneration(config)
    randomise(model, seed)
    for name, weight in model.named_parameters():
        if "norm" in name and not any(part in name for part in ("layer_norm", "post_layernorm", "q_norm", "k_norm")):
            weight.sub_(1)  # what is added to 1; queries and keys stay large, so that attention is far from uniform
        if "embed_tokens" in name:
            weight.mul_(0.2)  # or every token would say itself again
            weight[4:260].mul_(0.1)  # bytes, of which answers would be no text
    model.generation_config.eos_token_id = 1
    model.to(torch.bfloat16).save_pretrained(folder)
    images = transformers.Gemma3ImageProcessor(size={"height": SIZE, "width": SIZE})
    processor = transformers.Gemma3Processor(images, tokenizer, chat_template=TEMPLATE, image_seq_length=ROWS)
    processor.save_pretrained(folder)
    images.save_pretrained(folder)
    loaded, info = transformers.Gemma3ForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    published = old_spelling(json.loads((folder / "config.json").read_text()))
    read = transformers.Gemma3Config(**published).text_config
    assert all(getattr(read, key) == getattr(loaded.config.text_config, key) for key in ("layer_types", "rope_parameters"))
    return loaded.eval(), processor, published


def mask_of(positions, blocks, window):
    """0 where row i sees row j: those before it and its picture's, in a window of positions; else nothing."""
    n = len(positions)
    before = torch.ones(n, n, dtype=torch.bool).tril()
    same = (blocks[:, None] == blocks[None]) & (blocks[:, None] >= 0)
    near = positions[None] > positions[:, None] - window
    sees = (before | same) & near
    return torch.zeros(n, n).masked_fill(~sees, torch.finfo(torch.float32).min)[None, None]


def cut_logits(model, embeds, blocks, kept, compact=False, window=WINDOW):
    """Logits of the last row where only the rows `kept` go on from layer CUT."""
    text = model.model.language_model
    hidden, positions = embeds, torch.arange(embeds.shape[1])
    for i, layer in enumerate(text.layers):
        if i == CUT:
            hidden, positions, blocks = hidden[:, kept], positions[kept], blocks[kept]
            positions = torch.arange(len(kept)) if compact else positions
        kind = text.config.layer_types[i]
        mask = mask_of(positions, blocks, window if kind == "sliding_attention" else 10**6)
        out = layer(hidden, attention_mask=mask, position_ids=positions[None],
                    position_embeddings=text.rotary_emb(hidden, positions[None], kind))  # fmt: skip
        hidden = out[0] if isinstance(out, tuple) else out
    return model.lm_head(text.norm(hidden))[0, -1]


def cut_answer(model, embeds, blocks, kept, compact):
    """Greedy tokens after such a prompt, everything computed anew for each."""
    tokens = []
    for _ in range(CUT_TOKENS):
        tokens.append(int(cut_logits(model, embeds, blocks, kept, compact).argmax()))
        embeds = torch.cat([embeds, model.get_input_embeddings()(torch.tensor([tokens[-1:]]))], 1)
        blocks, kept = torch.cat([blocks, torch.tensor([-1])]), torch.cat([kept, torch.tensor([embeds.shape[1] - 1])])
    return tokens


def record(seed):
    """Tensors by name, and what else the tests need."""
    model, processor, published = build(seed)
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
        assert ids.shape[1] > 3 * WINDOW
        tensors[f"{key}.input_ids"] = ids
        levels = (pixels * 0.5 + 0.5) * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        tensors[f"{key}.levels"] = levels.round().to(torch.uint8)
        out = model.model.get_image_features(pixels)
        tensors[f"{key}.features"] = out.last_hidden_state[-1]  # of the last picture
        tensors[f"{key}.projected"] = out.pooler_output
        full = model(**inputs).logits
        tensors[f"{key}.logits"] = full[0, -8:]
        embeds = model.get_input_embeddings()(ids)
        visual = ids[0] == model.config.image_token_id
        embeds[0, visual] = out.pooler_output.flatten(0, 1)
        blocks = torch.where(visual, (visual & ~visual.roll(1)).cumsum(0) - 1, -1)
        everything = torch.arange(ids.shape[1])
        whole = cut_logits(model, embeds, blocks, everything)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        for other in (cut_logits(model, embeds, torch.full_like(blocks, -1), everything),
                      cut_logits(model, embeds, blocks, everything, window=WINDOW + 1)):  # fmt: skip
            assert (whole - other).abs().max() > 1e-2 * full.abs().max(), "the tests would not see another mask"
        spans = everything[visual].split(ROWS)
        places, left = halve(spans, torch.Generator().manual_seed(number))
        tensors[f"{key}.kept"] = torch.stack(places)
        left = torch.cat([everything[~visual], left]).sort().values
        text = answer_of(model, processor, inputs, TOKENS)
        if len(set(text)) < 8 or "\ufffd" in text:
            raise EndsEarly
        case = {"pictures": shown, "tokens": TOKENS, "text": text}
        for policy in ("original", "compact"):
            tensors[f"{key}.cut.{policy}"] = cut_logits(model, embeds, blocks, left, policy == "compact")
            if len(shown) == 2:
                tokens = cut_answer(model, embeds, blocks, left, policy == "compact")
                if 1 in tokens:
                    raise EndsEarly
                case[policy] = processor.tokenizer.decode(tokens, skip_special_tokens=True)
        cases.append(case)
    return tensors, cases, published


golden = GoldenWriter(FOLDER, "golden")
FOLDER.mkdir(parents=True, exist_ok=True)
tensors, cases, published = first_seed(NAME, record)
for key, tensor in tensors.items():
    golden.add(key, tensor)
golden.write({"cutLayer": CUT, "cutTokens": CUT_TOKENS, "cases": cases, "publishedConfig": published})
