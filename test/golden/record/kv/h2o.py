"""H2O: heavy hitters by column sums per KV head, and the latest rows; both while decoding, too."""

import torch
from cache_harness import KvReference, best_rows, record

RECENT = 0.5


class H2o(KvReference):
    def stay(self, layer, scores):
        keep = max(1, int(self.share * self.seen[layer]))
        return [best_rows(head, keep, last=int(RECENT * min(keep, len(head)))) for head in scores]

    def choose(self):
        self.scores = [self.per_kv_head(p).sum(1) for p in self.probabilities]  # (n_kv_heads, n)
        rows = [self.stay(layer, scores) for layer, scores in enumerate(self.scores)]
        self.carry(rows)
        return rows

    def carry(self, rows):
        self.scores = [torch.stack([s[r] for s, r in zip(scores, kept)]) for scores, kept in zip(self.scores, rows)]

    def after_step(self, layer, probabilities):
        scores = torch.nn.functional.pad(self.scores[layer], (0, 1)) + probabilities
        rows = self.stay(layer, scores)
        self.scores[layer] = torch.stack([s[r] for s, r in zip(scores, rows)])
        return rows


if __name__ == "__main__":
    record("h2o", H2o, lambda share, _: {"stages": [{"method": "h2o", "keep": share}]},
           [(share, {}, ("single", "pair", "text")) for share in (0.5, 0.2, 0.1)])  # fmt: skip
