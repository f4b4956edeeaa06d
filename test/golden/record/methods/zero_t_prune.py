"""Zero-TPrune: page rank on attention, dropping rows that repeat better ones, then those of the lowest rank."""

import torch
from harness import record
from tower_layers import TowerLayers
from tower_out import top, unit


class ZeroTPrune(TowerLayers):
    def inside(self, layer, rows, attention, keys):
        blocks = self.config.vision_config.num_hidden_layers
        n_layers = blocks + 1 + self.config.vision_feature_layer if self.config.vision_feature_layer < 0 else blocks
        layers = sorted({int(n_layers * at / 12 + 0.5) for at in (1, 3, 6, 9)})
        if layer == 0:
            self.entered = len(rows["place"])
        if layer not in layers:
            return
        stage = layers.index(layer)
        after = lambda n: self.share ** (n / len(layers))  # noqa: E731
        n_distinct = round((after(stage) - (after(stage) - after(stage + 1)) / 3) * self.entered)
        # Similarity: the worse half by one round of voting meets the better half.
        votes = self.rank(attention, 1)
        order = torch.sort(votes, descending=True, stable=True).indices
        half = len(order) - len(order) // 2
        better, worse = order[:half], order[half:]
        metric = unit(keys[:, 1:].mean(0))
        alike = (metric[worse] @ metric[better].T).max(1).values
        goes = worse[torch.sort(alike, descending=True, stable=True).indices[: len(order) - n_distinct]]
        distinct = torch.tensor([row for row in range(len(order)) if row not in goes])
        # Importance among what is left.
        stays = torch.cat([torch.zeros(1, dtype=torch.long), 1 + distinct])
        depth = layer / n_layers
        left = attention[:, stays][:, :, stays]
        left = left / left.sum(-1, keepdim=True)
        rank = self.rank(left, 40 if depth < 0.25 else 8 if depth < 0.75 else 1)
        kept = distinct[top(rank, round(after(stage + 1) * self.entered))]
        self.keep(rows, torch.cat([torch.zeros(1, dtype=torch.long), 1 + kept]))

    def rank(self, attention, rounds):
        """Of the patches, from attention (n_heads, n, n) of all rows."""
        n = attention.shape[-1]
        scores = torch.full((len(attention), n), 1 / n, dtype=torch.float64)
        for _ in range(rounds):
            scores = torch.einsum("hij,hi->hj", attention.double(), scores)
            scores = scores / scores.sum(1, keepdim=True)
        variance = (scores * n).var(1, unbiased=False)
        passes = (variance >= 0.01) & (variance <= 0.7)
        if not passes.any():
            passes[:] = True
        return (scores[passes] ** 2).mean(0).sqrt()[1:]


if __name__ == "__main__":
    record("zero-t-prune", ZeroTPrune, lambda share: {"stages": [{"method": "zeroTPrune", "keep": share}]})
