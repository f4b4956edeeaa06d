"""PrefixKV: methods-core 6, from the formulas."""

import bisect

import torch

from cache_harness import KvReference, best_rows, record

PROTECT = 2
BEHIND = 25
LIST = [0.1, 0.3, 0.5, 0.7, 0.6, 0.4, 0.8, 0.9]


def search(importances, evict):
    """Rows that each layer forgets."""
    sizes = [len(i) for i in importances]
    target = evict * sum(sizes)
    shares = []
    for importance in importances:
        total, sums = sum(importance), []
        for value in sorted(importance, reverse=True):
            sums.append((sums[-1] if sums else 0) + value / total)
        shares.append(sums)
    low, high, best = 0.0, 1.0, None
    for _ in range(60):
        p = (low + high) / 2
        forget = [max(0, n - (bisect.bisect_left(s, p) + 1) - PROTECT) for n, s in zip(sizes, shares)]
        if best is None or abs(sum(forget) - target) < abs(sum(best) - target):
            best = forget
        if abs(sum(forget) - target) < 5:
            break
        if sum(forget) < target:
            high = p
        else:
            low = p
    return [min(int(f * target / sum(best)), max(0, n - PROTECT)) if sum(best) else 0 for f, n in zip(best, sizes)]


class PrefixKv(KvReference):
    def choose(self):
        importances = [p.mean(0).sum(0) for p in self.probabilities]  # column sums of the head mean
        if self.share == "list":
            forget = [round(r * n) for r, n in zip(LIST, self.seen)]
            self.ratios = LIST
        else:
            forget = search([i.double().tolist() for i in importances], self.share)
            self.ratios = [f / n for f, n in zip(forget, self.seen)]
        self.at_prefill = [max(n - f, min(PROTECT, n)) for f, n in zip(forget, self.seen)]
        return [[best_rows(i, n, first=1, last=1)] for i, n in zip(importances, self.at_prefill)]

    def after_step(self, layer, probabilities):
        length = self.keys[layer].shape[1]
        if int(length - self.seen[layer] * (1 - self.ratios[layer])) < 1:
            return None
        slot = self.at_prefill[layer] - BEHIND
        slot = self.at_prefill[layer] // 2 if slot < 1 else slot
        return [torch.tensor([row for row in range(length) if row != slot])]


def plan(share, options):
    before = {"divPrune": [{"method": "divPrune", "keep": 0.25}],
              "pyramidDrop": [{"method": "pyramidDrop", "layers": [2, 4], "keep": [0.5, 0.25]}]}  # fmt: skip
    amount = {"evictPerLayer": LIST} if share == "list" else {"evict": share}
    return {"stages": [*before.get(options.get("before"), []), {"method": "prefixKv", **amount}]}


if __name__ == "__main__":
    assert search([[1.0] * 41, [2.0**-j for j in range(41)]], 0.5) == [7, 33]
    everywhere = ("single", "pair", "text")
    record("prefixKv", PrefixKv, plan, [
        *((share, {}, everywhere) for share in (0.5, 0.75, 0.9)),
        ("list", {}, everywhere),
        ("list", {"before": "pyramidDrop"}, ("single",)),
        (0.5, {"before": "divPrune"}, ("single",)),
    ])  # fmt: skip
