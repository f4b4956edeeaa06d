"""VL-Cache: layer budgets from sparsity, scores from the text behind the last image (methods-reduction 2F)."""

import torch
from cache_harness import KvReference, best_rows, record

BELOW, LEAST, RECENT = 0.01, 0.01, 0.1


class VlCache(KvReference):
    def choose(self):
        density, scores = [], []
        for probabilities, asking in zip(self.probabilities, self.text_after):
            p = probabilities[:, asking]  # (n_heads, n_asking, n)
            seen = torch.arange(p.shape[-1])[None] <= asking[:, None]  # (n_asking, n)
            small = (p < BELOW * p.amax(-1, keepdim=True)) & seen
            density.append(1 - int(small.sum()) / (int(seen.sum()) * len(p)))
            scores.append(self.per_kv_head(p).sum(1))
        rows = []
        for d, heads, n in zip(density, scores, self.seen):
            share = min(1.0, max(LEAST, self.share * d / (sum(density) / len(density))))
            keep = max(1, int(share * n))
            rows.append([best_rows(head, keep, last=int(RECENT * keep)) for head in heads])
        return rows


if __name__ == "__main__":
    record("vlCache", VlCache, lambda share, _: {"stages": [{"method": "vlCache", "keep": share}]},
           [(share, {}, ("single", "pair", "text")) for share in (0.5, 0.25, 0.1)])  # fmt: skip
