"""VisPruner: rows of the largest class attention, then rounds of dropping what is most alike.

Which rows meet in the next round hangs on the order of all similarities of this one. On flat backgrounds, of which the
pictures of model/eval are full, some lie 1e-10 apart, and what two machines make of a picture differs by more. So this
method is recorded on made-up pictures of which no two patches are alike, and cosines are f64 sums of f32 products, as
the engine's; prompts that noise still changes are passed over.
"""

import os

import torch
from harness import GOLDEN, prompts, record
from pictures import picture
from PIL import Image
from prompts import EVAL, ask
from tower_out import TowerOut, top, unit

PER_ROUND = 8
N_PICTURES = 10


class VisPruner(TowerOut):
    noise, noise_seeds = 5e-6, 8  # more than the usual: the order of similarities hangs on many a rounding

    def choose(self, image):
        attention, x = self.tower.class_attention()[image], self.tower.features[image]
        keep = round(self.share * len(x))
        important = top(attention, int(keep * 0.5))
        order = torch.sort(attention, descending=True, stable=True).indices
        rest = order[~torch.isin(order, important)]
        cosine = unit(x.double()) @ unit(x.double()).T
        while len(rest) > keep - len(important):
            even, odd = rest[0::2], rest[1::2]
            alike = cosine[even][:, odd].max(1).values
            goes = min(PER_ROUND, len(rest) - (keep - len(important)))
            rest = torch.cat([even[torch.sort(alike, descending=True, stable=True).indices][goes:], odd])
        kept = torch.sort(torch.cat([important, rest])).values
        return kept, x[kept]


def textured(number):
    """A picture of the tower's size, of squares of four pixels, so that nothing resizes it; its path from model/eval."""
    path = GOLDEN / "methods" / f"textured-{number}.png"
    picture((56, 56), number).resize((224, 224), Image.Resampling.NEAREST).save(path, optimize=True)
    return os.path.relpath(path, EVAL)


def of_textures(kinds):
    """The prompts of the other methods, about textures."""
    shown = [textured(number) for number in range(N_PICTURES)]
    question = "What objects are in the image?"
    table = {
        "single": ([ask(path, text=question) for path in shown], 2),
        "pair": ([ask(a, b, text=question) for a in shown for b in shown if a != b], 1),
        "twin": ([ask(path, path, text=question) for path in shown], 1),
    }
    return [(kind, *table[kind]) if kind in table else next(iter(prompts((kind,)))) for kind in kinds]


if __name__ == "__main__":
    record("vis-pruner", VisPruner, lambda share: {"stages": [{"method": "visPruner", "keep": share}]}, ask_about=of_textures)
    recorded = (GOLDEN / "methods" / "vis-pruner.json").read_text()
    for unused in (GOLDEN / "methods").glob("textured-*.png"):
        if unused.name not in recorded:
            unused.unlink()
