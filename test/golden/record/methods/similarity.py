"""Formulas that several selection methods share, in f64 and by the book: whole matrices, no tricks."""

import torch


def unit(x):
    x = x.double()
    return x / x.norm(dim=-1, keepdim=True)


def cosine(a, b):
    return unit(a) @ unit(b).T


def likeness(x, generator=None):
    """Cosines of rows with each other. With a generator, with errors as large as those of an f32 dot product: they are
    absolute and matter because projected rows are alike."""
    s = cosine(x, x)
    if generator is not None:
        noise = 3e-7 * torch.randn(s.shape, generator=generator, dtype=torch.float64)
        s = s + (noise + noise.T) / 2
    return s


def min_max(x):
    return (x - x.min() + 1e-6) / (x.max() - x.min() + 1e-6)


def distinctiveness(x):
    """Minus the mean cosine of each row with the others."""
    s = cosine(x, x)
    n = len(s)
    return -(s.sum(dim=1) - s.diagonal()) / (n - 1)


def centered(x):
    return x.double() - x.double().mean(dim=0)


def first_max(values, allowed):
    """Index of the largest allowed value; the lower index wins a tie."""
    values = torch.where(allowed, values, -torch.inf)
    return int((values == values.max()).nonzero()[0, 0])


def weighted_max_min(similarity, weight, keep):
    """Greedy argmax weight_i * min over chosen of (1 - similarity), from the largest weight. Ascending rows."""
    left = torch.ones(len(weight), dtype=torch.bool)
    chosen = []
    while len(chosen) < keep:
        gain = weight * (1 - similarity[:, chosen].max(dim=1).values) if chosen else weight
        chosen.append(first_max(gain, left))
        left[chosen[-1]] = False
    return torch.tensor(sorted(chosen))


def coverage(cover, thing_weight, worth, keep):
    """Greedy argmax worth_i * sum_q weight_q max(0, cover_qi - best_q), best from 0. cover (things, n)."""
    best = torch.zeros(len(cover), dtype=torch.float64)
    left = torch.ones(cover.shape[1], dtype=torch.bool)
    chosen = []
    while len(chosen) < keep:
        gain = worth * (thing_weight[:, None] * (cover - best[:, None]).clamp(min=0)).sum(dim=0)
        chosen.append(first_max(gain, left))
        left[chosen[-1]] = False
        best = torch.maximum(best, cover[:, chosen[-1]])
    return torch.tensor(sorted(chosen))


def text_behind(rows):
    """Embeddings of the text behind the last image (n_text, d_model)."""
    last_visual = int((rows.image >= 0).nonzero()[-1, 0])
    return rows.hidden[last_visual + 1 :]
