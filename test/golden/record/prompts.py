"""Real prompts: questions about the pictures of model/eval, as messages and as transformers' inputs."""

import hashlib
import json

from PIL import Image

from common import ROOT

EVAL = ROOT / "model" / "eval"


def questions():
    """Every question of model/eval, in file order."""
    return [json.loads(line) for line in (EVAL / "questions.jsonl").read_text().splitlines()]


def spread(per_kind):
    """The first `per_kind` questions of each kind, walking through the pictures so that they vary."""
    chosen = {}
    by_kind = {}
    for question in questions():
        by_kind.setdefault(question["kind"], []).append(question)
    for offset, (kind, items) in enumerate(sorted(by_kind.items())):
        step = max(1, len(items) // per_kind)
        chosen[kind] = [items[(offset + i * step) % len(items)] for i in range(per_kind)]
    return [question for items in chosen.values() for question in items]


def image_part(path):
    return {"type": "image", "image": path}


def text_part(text):
    return {"type": "text", "text": text}


def ask(*paths, text):
    """One user turn about some pictures."""
    return [{"role": "user", "content": [*map(image_part, paths), text_part(text)]}]


def conversation(path, first, answer, second):
    """A question about a picture, its answer, and a second question."""
    return [
        *ask(path, text=first),
        {"role": "assistant", "content": [text_part(answer)]},
        {"role": "user", "content": [text_part(second)]},
    ]


def picture_paths(messages):
    return [part["image"] for message in messages for part in message["content"] if part["type"] == "image"]


def to_inputs(processor, messages):
    """input_ids, attention_mask and, with pictures, pixel_values."""
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    images = [Image.open(EVAL / path).convert("RGB") for path in picture_paths(messages)]
    return processor(images=images or None, text=text, return_tensors="pt")


def digests(records):
    """SHA-256 of every picture used, so that a test can tell a changed picture from a changed engine."""
    paths = sorted({path for record in records for path in picture_paths(record["messages"])})
    return {path: hashlib.sha256((EVAL / path).read_bytes()).hexdigest() for path in paths}


def greedy(model, processor, inputs, max_new_tokens):
    """Token ids without the end token, their text, why it ended, and the smallest lead of a chosen token over the next."""
    out = model.generate(
        **inputs, do_sample=False, max_new_tokens=max_new_tokens, return_dict_in_generate=True, output_logits=True
    )
    ids = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    return finish(processor, ids, [step[0] for step in out.logits])


def finish(processor, ids, logits):
    """The record of a greedy run from its ids (end token included) and the logits that chose them."""
    top = [step.topk(2).values for step in logits]
    ended = ids[-1] == processor.tokenizer.eos_token_id
    ids = ids[:-1] if ended else ids
    return {
        "ids": ids,
        "text": processor.tokenizer.decode(ids, skip_special_tokens=True),
        "finish": "stop" if ended else "length",
        "lead": round(min(float(t[0] - t[1]) for t in top), 6),
    }
