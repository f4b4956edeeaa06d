"""HoloV: runs of rows share the budget by attention and variety; the most attended rows of each stay."""

import torch
from harness import record
from shares import apportion
from tower_out import TowerOut, top, unit

PARTS = 16


class HoloV(TowerOut):
    def choose(self, image):
        attention, x = self.tower.class_attention()[image].double(), self.tower.features[image].double()
        n = len(x)
        ends = [n * part // PARTS for part in range(PARTS + 1)]
        variance = []
        for begin, end in zip(ends, ends[1:]):
            similar = (unit(x[begin:end]) @ unit(x[begin:end]).T).fill_diagonal_(0)
            variance.append(similar.var(dim=1, unbiased=False))
        variance = torch.cat(variance)
        worth = attention / attention.abs().mean() + 0.09 * variance / variance.abs().mean()
        parts = list(zip(ends, ends[1:]))
        quotas = apportion(round(self.share * n), [float(worth[b:e].mean()) for b, e in parts], [e - b for b, e in parts])
        kept = torch.cat([b + top(attention[b:e], quota) for (b, e), quota in zip(parts, quotas)])
        return kept, self.tower.features[image][kept]


if __name__ == "__main__":
    record("holoV", HoloV, lambda share: {"stages": [{"method": "holoV", "keep": share}]})
