"""What every decoder layer does to the rows of real prompts, and which sub-layers calibration would drop.

Hooks on transformers' modules see the stream before and after each half of a layer. The choices (LLM-Drop, ShortGPT,
angular distance) are made here from these numbers, in f64.
"""

import contextlib

import torch

from common import GOLDEN, GoldenWriter, MODEL, load_llava, load_processor
from prompts import ask, conversation, digests, questions, spread, to_inputs
from skip import without

CLEAR = 1e-5  # of the last cosine dropped over the first one kept: f32 noise must not change a choice
COUNT = {"attention": 3, "ffn": 3, "block": 3, "joint": 6}


def change(before, after):
    """Cosine of (n, d) rows before and after, and the length of what was added as a share of the stream's: (n, 2)."""
    before, after = before.double(), after.double()
    cosine = torch.nn.functional.cosine_similarity(before, after, dim=-1)
    return torch.stack([cosine, (after - before).norm(dim=-1) / before.norm(dim=-1)], dim=-1)


@contextlib.contextmanager
def watched(model):
    """Collects, per layer, the stream as it enters, after attention, and as it leaves: lists of (n_rows, d_model)."""
    seen, handles = [], []
    for layer in model.model.language_model.layers:
        streams = {}
        seen.append(streams)
        # Llama norms the stream after attention: what enters that norm is it.
        watch = [
            (layer, "entered"),
            (layer.post_attention_layernorm, "attended"),
        ]
        for module, name in watch:
            hook = lambda _, args, kwargs, streams=streams, name=name: streams.__setitem__(  # noqa: E731
                name, (args[0] if args else kwargs["hidden_states"])[0].clone()
            )
            handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))
        leave = lambda _, args, out, streams=streams: streams.__setitem__(  # noqa: E731
            "left", (out if isinstance(out, torch.Tensor) else out[0])[0].clone()
        )
        handles.append(layer.register_forward_hook(leave))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def profile(model, inputs, skips=()):
    """changes (n_layers, [attention, ffn, block], n_rows, 2), last rows (n_layers + 1, d_model), visual (n_rows)."""
    with without(model, skips), watched(model) as seen:
        model(**inputs)
    changes = torch.stack(
        [
            torch.stack(
                [
                    change(s["entered"], s["attended"]),
                    change(s["attended"], s["left"]),
                    change(s["entered"], s["left"]),
                ]
            )
            for s in seen
        ]
    )
    last = torch.stack([s["entered"][-1] for s in seen] + [seen[-1]["left"][-1]])
    return changes, last, inputs["input_ids"][0] == model.config.image_token_id


def means(profiles, select):
    """(n_layers, 3, 2) over the chosen rows of all prompts."""
    return torch.cat([changes[:, :, select(visual)] for changes, _, visual in profiles], dim=2).mean(2)


def ranked(cosines, taken):
    """Order of (part, layer) by cosine, highest first; stable, and how far each leads the next."""
    free = [key for key in cosines if key not in taken]
    order = sorted(free, key=lambda key: -cosines[key])
    return order, [cosines[a] - cosines[b] for a, b in zip(order, order[1:])]


def cosines_of(table, drop):
    parts = {"attention": ["attention"], "ffn": ["ffn"], "block": ["block"], "joint": ["attention", "ffn"]}[drop]
    column = {"attention": 0, "ffn": 1, "block": 2}
    return {(part, layer): float(table[layer, column[part], 0]) for part in parts for layer in range(len(table))}


def as_skips(taken):
    return [{"part": part, "layers": [layer]} for part, layer in taken]


def choose(model, prompts, profiles, drop, select, iterative):
    """The sub-layers in the order of choosing; asserts that every choice is clear."""
    taken = []
    for _ in range(COUNT[drop] if iterative else 1):
        order, leads = ranked(cosines_of(means(profiles, select), drop), taken)
        chosen = order[: 1 if iterative else COUNT[drop]]
        assert min(leads[: len(chosen)]) > CLEAR, (drop, iterative, leads)
        taken += chosen
        if iterative:
            profiles = [profile(model, inputs, as_skips(taken)) for inputs in prompts]
    return [{"part": part, "layer": layer} for part, layer in taken]


def distances(profiles, n):
    """Mean angular distance of the last row across n layers, from every first layer on."""
    angles = []
    for _, last, _ in profiles:
        rows = last.double()
        cosine = torch.nn.functional.cosine_similarity(rows[:-n], rows[n:], dim=-1)
        angles.append(torch.arccos(cosine.clamp(-1, 1)) / torch.pi)
    return torch.stack(angles).mean(0)


KINDS = {
    "all": lambda visual: torch.ones_like(visual),
    "text": lambda visual: ~visual,
    "visual": lambda visual: visual,
}


def main():
    model, processor = load_llava(MODEL), load_processor()
    golden = GoldenWriter(GOLDEN / "embedded", "depth")
    first, *others = spread(1)
    two = questions()[0]
    messages = [
        *[ask(q["image"], text=q["question"]) for q in others[:4]],
        ask(first["image"], two["image"], text="What is different?"),
        conversation(two["image"], two["question"], two["answer"], first["question"]),
        ask(text="What is a cat?"),
    ]
    prompts = [to_inputs(processor, m) for m in messages]
    profiles = [profile(model, inputs) for inputs in prompts]
    for index, (changes, last, visual) in enumerate(profiles):
        golden.add(f"{index}.last_row", last)
        for kind, select in KINDS.items():
            if select(visual).any():
                golden.add(f"{index}.{kind}", changes[:, :, select(visual)].mean(2).float())
    for kind, select in KINDS.items():
        golden.add(f"mean.{kind}", means(profiles, select).float())
    # One prompt with a layer's attention and another's FFN left out.
    skips = [{"part": "attention", "layers": [2]}, {"part": "ffn", "layers": [5]}]
    changes, _, visual = profile(model, prompts[0], skips)
    golden.add("skipping.visual", changes[:, :, visual].mean(2).float())

    choices = []
    for drop in ["attention", "ffn", "block", "joint"]:
        for rows in ["all", "text"]:
            for iterative in [False, True]:
                dropped = choose(model, prompts, profiles, drop, KINDS[rows], iterative)
                choices.append({"drop": drop, "rows": rows, "iterative": iterative, "count": len(dropped), "dropped": dropped})
    windows = []
    for n in [1, 2, 3, len(profiles[0][0])]:
        turns = distances(profiles, n)
        best = int(turns.argmin())
        lead = float(turns.sort().values[:2].diff()) if len(turns) > 1 else 1.0
        assert lead > CLEAR, (n, lead)
        windows.append({"count": n, "distances": [round(float(t), 7) for t in turns], "first": best})
    records = [{"messages": m} for m in messages]
    golden.write({"pictures": digests(records), "prompts": records, "skips": skips, "choices": choices, "windows": windows})  # fmt: skip
    for choice in choices:
        print(choice)


if __name__ == "__main__":
    main()
