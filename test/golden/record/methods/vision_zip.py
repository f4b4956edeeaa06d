"""VisionZip: dominant rows, and contextual rows that take in the others by the likeness of their keys."""

import torch
from harness import record
from tower_out import TowerOut, top, unit


class VisionZip(TowerOut):
    def choose(self, image):
        attention, x = self.tower.class_attention()[image], self.tower.features[image]
        keys = unit(self.tower.keys[-1][image, :, 1:].mean(0))  # (n, d_head)
        keep = round(self.share * len(x))
        dominant = top(attention, int(keep * 27 / 32))
        rest = torch.tensor([row for row in range(len(x)) if row not in dominant])
        n_contextual = keep - len(dominant)
        contextual = rest[torch.arange(n_contextual) * (len(rest) // n_contextual)]
        others = rest[~torch.isin(rest, contextual)]
        target = (keys[others] @ keys[contextual].T).argmax(1)
        kept = torch.sort(torch.cat([dominant, contextual])).values
        merged = x.clone()
        for i, row in enumerate(contextual):
            taken = x[others[target == i]]
            if not len(taken):
                continue
            if self.options.get("mean"):
                merged[row] = torch.cat([x[row][None], taken]).mean(0)
            else:
                merged[row] = x[row] + taken.mean(0)
        # What goes where is part of the choice, but the report does not show it: the noise must not change it either.
        self.targets = getattr(self, "targets", []) + [target]
        return kept, merged[kept]


if __name__ == "__main__":
    record("vision-zip", VisionZip, lambda share: {"stages": [{"method": "visionZip", "keep": share}]})
    record("vision-zip-mean", VisionZip, lambda share: {"stages": [{"method": "visionZip", "keep": share, "merge": "mean"}]},
           shares=(0.25,), kinds=("single",), mean=True)  # fmt: skip
