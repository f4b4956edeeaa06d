"""VisPruner: rows of the largest class attention, then rounds of dropping what is most alike."""

import torch
from harness import record
from tower_out import TowerOut, top, unit


class VisPruner(TowerOut):
    def choose(self, image):
        attention, x = self.tower.class_attention()[image], self.tower.features[image]
        keep = round(self.share * len(x))
        important = top(attention, int(keep * 0.5))
        order = torch.sort(attention, descending=True, stable=True).indices
        rest = order[~torch.isin(order, important)]
        cosine = unit(x) @ unit(x).T
        while len(rest) > keep - len(important):
            even, odd = rest[0::2], rest[1::2]
            alike = cosine[even][:, odd].max(1).values
            goes = min(8, len(rest) - (keep - len(important)))
            rest = torch.cat([even[torch.sort(alike, descending=True, stable=True).indices][goes:], odd])
        kept = torch.sort(torch.cat([important, rest])).values
        return kept, x[kept]


if __name__ == "__main__":
    # Flat backgrounds tie over many rounds; these shares need few enough for the noise to leave the choice alone.
    record("vis-pruner", VisPruner, lambda share: {"stages": [{"method": "visPruner", "keep": share}]},
           shares=(0.95, 0.9, 0.8))  # fmt: skip
