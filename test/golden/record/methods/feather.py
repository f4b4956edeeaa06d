"""FEATHER: a softmax over visual rows without rotary positions, with a grid at the first layer, squared at the second."""

import torch
from decoder_stages import DecoderStage
from harness import record

STRIDE = 3


class Feather(DecoderStage):
    def layers(self):
        return {2: self.share, 4: self.share**2}

    def choose(self, index, layer, rows, ratio):
        visual = (rows.image >= 0).nonzero()[:, 0]
        if len(visual) == 0:
            return []
        last = torch.tensor([len(rows.hidden) - 1])
        scores = torch.zeros(len(rows.hidden))
        scores[visual] = self.attention(*self.previous(index), last, keys=visual, rope=False).mean(0)[0]
        chosen = self.best(rows, scores, lambda image, n: max(1, int(ratio * n)))  # never no row: our rule
        if index != 2:
            return chosen
        side = int(len(rows.of_image(0)) ** 0.5)
        on_grid = (rows.raster // side % STRIDE == 0) & (rows.raster % side % STRIDE == 0) & (rows.image >= 0)
        grid = [(on_grid & (rows.image == image)).nonzero()[:, 0] for image in range(rows.n_images)]
        return [torch.cat(both).unique() for both in zip(chosen, grid)]


if __name__ == "__main__":
    record("feather", Feather, lambda share: {"stages": [{"method": "feather", "keep": share}]})
