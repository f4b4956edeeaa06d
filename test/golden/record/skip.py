"""Logits and greedy answers of transformers with decoder sub-layers removed."""

import contextlib

import torch

from common import GOLDEN, GoldenWriter, MODEL, load_llava, load_processor
from prompts import ask, digests, greedy, spread, to_inputs

NEW_TOKENS = 12
CASES_PER_PLAN = 3
CLEAR_LEAD = 5e-3  # a token chosen by less could flip with the order of additions

# Names of the cases and their plans, as lib/prune/plan.ts spells them.
PLANS = {
    "attention 3": [{"part": "attention", "layers": [3]}],
    "ffn 5": [{"part": "ffn", "layers": [5]}],
    "block 6": [{"part": "block", "layers": [6]}],
    "attention 2, ffn 2 and 7": [{"part": "attention", "layers": [2]}, {"part": "ffn", "layers": [2, 7]}],
    "ffn 5 in decode": [{"part": "ffn", "layers": [5], "phase": "decode"}],
    "attention 3 in decode": [{"part": "attention", "layers": [3], "phase": "decode"}],
    "ffn 5 in prefill": [{"part": "ffn", "layers": [5], "phase": "prefill"}],
}


@contextlib.contextmanager
def without(model, skips):
    """Replaces the named sub-layers by ones that add nothing to the residual stream (and cache nothing)."""
    undo = []
    for skip in skips:
        for index in skip["layers"]:
            layer = model.model.language_model.layers[index]
            parts = {"attention": ["self_attn"], "ffn": ["mlp"], "block": ["self_attn", "mlp"]}[skip["part"]]
            for part in parts:
                undo.append(silence(getattr(layer, part), part, skip.get("phase", "both")))
    try:
        yield
    finally:
        for restore in undo:
            restore()


def silence(module, part, phase):
    """Makes a sub-layer contribute zero in a phase. A prompt has many rows, a decode step has one."""
    real = module.forward

    def forward(*args, **kwargs):
        x = args[0] if args else kwargs["hidden_states"]
        now = "decode" if x.shape[1] == 1 else "prefill"
        if phase not in ("both", now):
            return real(*args, **kwargs)
        return (torch.zeros_like(x), None) if part == "self_attn" else torch.zeros_like(x)

    module.forward = forward

    def restore():
        module.forward = real

    return restore


def record(model, processor, name, skips, question, whole, golden):
    """The case, or None when the answer would not show that something was skipped."""
    inputs = to_inputs(processor, messages_of(question))
    with without(model, skips):
        answer = greedy(model, processor, inputs, NEW_TOKENS)
        logits = model(**inputs).logits[0, -1]
    # Skipping in decode leaves the prompt's logits alone: only other tokens can show it.
    unseen = skips[0].get("phase") == "decode" and answer["ids"] == whole["ids"]
    if unseen or answer["lead"] < CLEAR_LEAD:
        return None
    assert skips[0].get("phase") == "decode" or (logits - model(**inputs).logits[0, -1]).abs().max() > 0.1
    golden.add(f"{name}.input_ids", inputs["input_ids"])
    golden.add(f"{name}.logits", logits)
    return {"name": name, "plan": {"skipLayers": skips}, "messages": messages_of(question), **answer}


def record_plan(model, processor, name, skips, candidates, golden):
    """Up to three prompts."""
    found = []
    for question, whole in candidates:
        case = record(model, processor, f"{name} {len(found)}", skips, question, whole, golden)
        if case:
            found.append(case)
        if len(found) == CASES_PER_PLAN:
            break
    assert found, name
    return found


def messages_of(question):
    return ask(question["image"], text=question["question"])


def long_answers(model, processor):
    """Questions and their answers with nothing skipped, longest first: skipping in decode shows from the second token on."""
    chosen = [q for q in spread(24) if q["kind"] in ("caption", "list", "word")]
    pairs = [(q, greedy(model, processor, to_inputs(processor, messages_of(q)), NEW_TOKENS)) for q in chosen]
    return sorted(pairs, key=lambda pair: -len(pair[1]["ids"]))


def main():
    model, processor = load_llava(MODEL), load_processor()
    golden = GoldenWriter(GOLDEN / "embedded", "skip")
    candidates = long_answers(model, processor)
    records = [r for name, skips in PLANS.items() for r in record_plan(model, processor, name, skips, candidates, golden)]
    golden.write({"pictures": digests(records), "cases": records})
    for r in records:
        print(f"{r['name']:28} lead {r['lead']} {r['text']!r}")


if __name__ == "__main__":
    main()
