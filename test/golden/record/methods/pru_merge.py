"""LLaVA-PruMerge: kept rows plus what their nearest dropped rows hold, and one row more for all that goes."""

import numpy as np
import torch
from harness import record
from tower_out import TowerOut, top, unit


class PruMerge(TowerOut):
    def choose(self, image):
        joint = lambda heads: heads[-1][image].transpose(0, 1).flatten(1)  # noqa: E731 (1 + n, width)
        q, k, x = joint(self.tower.queries), joint(self.tower.keys), self.tower.features[image]
        attention = self.jitter(torch.softmax(q[0] @ k.T * k.shape[1] ** -0.5, dim=-1)[1:])
        keys = unit(k[1:].double())
        kept = self.kept_rows(attention, len(x))
        dropped = torch.tensor([row for row in range(len(x)) if row not in kept])
        if not len(dropped):
            return kept, x
        merged = x.clone()
        for row in kept:
            near = dropped[torch.sort(keys[dropped] @ keys[row], descending=True, stable=True).indices[:32]]
            merged[row] = x[row] + (attention[near, None] * x[near]).sum(0)
        extra = dropped[top(attention[dropped], 1)]
        merged[extra] = (attention[dropped, None] * x[dropped]).sum(0)
        left = torch.sort(torch.cat([kept, extra])).values
        return left, merged[left]

    def kept_rows(self, attention, n):
        if self.share is None:
            a = attention.double().numpy()
            first, third = np.percentile(a, 25), np.percentile(a, 75)
            return torch.tensor(np.nonzero(a > third + 1.5 * (third - first))[0])
        keep = round(self.share * n)
        if not self.options.get("plus"):
            return top(attention, keep)
        prominent = top(attention, keep // 4)
        rest = torch.tensor([row for row in range(n) if row not in prominent])
        spread = rest[torch.arange(keep - len(prominent)) * (len(rest) // (keep - len(prominent)))]
        return torch.sort(torch.cat([prominent, spread])).values


if __name__ == "__main__":
    stage = lambda **options: {"stages": [{"method": "pruMerge", **options}]}  # noqa: E731
    record("pruMerge", PruMerge, lambda share: stage(keep=share))
    record("pruMerge outliers", PruMerge, lambda share: stage(), shares=(None,), kinds=("single", "pair"))
    record("pruMerge plus", PruMerge, lambda share: stage(keep=share, plus=True), shares=(0.25,), kinds=("single",), plus=True)
