"""ToMe and Turbo: bipartite merging in every layer of the tower, Turbo with the class row's attention in the score."""

import torch
from bipartite import merge
from harness import record
from tower_layers import TowerLayers
from tower_out import unit


class ToMe(TowerLayers):
    coefficient = 0

    def inside(self, layer, rows, attention, keys):
        x, size, n = rows["x"], rows["size"], len(rows["x"])
        entered = self.entered = n - 1 if layer == 0 else self.entered
        goes = n - 1 - round(self.share ** ((layer + 1) / len(self.tower_layers())) * entered)
        goes = self.share if self.options.get("remove") else goes
        even, odd = torch.arange(0, n, 2), torch.arange(1, n, 2)
        metric = unit(keys.mean(0))
        score = metric[even] @ metric[odd].T - self.coefficient * attention.mean(0)[0, even, None]
        score[0] = -torch.inf  # the class row
        rows["x"], rows["size"], stays = merge(x, size, even, odd, score, min(goes, (n - 1) // 2))
        self.keep(rows, stays)

    def tower_layers(self):
        layer, n = self.config.vision_feature_layer, self.config.vision_config.num_hidden_layers
        return range(n + 1 + layer if layer < 0 else layer)


class Turbo(ToMe):
    coefficient = 150
    noise = 1e-5  # attention counts that many times, and so does its rounding


if __name__ == "__main__":
    record("to-me", ToMe, lambda share: {"stages": [{"method": "toMe", "keep": share}]})
    record("to-me-remove", ToMe, lambda rows: {"stages": [{"method": "toMe", "remove": rows}]}, shares=(8, 16, 32), remove=True)
    record("turbo", Turbo, lambda share: {"stages": [{"method": "turbo", "keep": share}]})
    record("turbo-remove", Turbo, lambda rows: {"stages": [{"method": "turbo", "remove": rows}]}, shares=(8, 16, 32), remove=True)
