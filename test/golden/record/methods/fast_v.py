"""FastV: the attention of the last row in layer 1 ranks the rows that enter layer 2; with and without rotary positions."""

import torch
from decoder_stages import DecoderStage
from harness import record


class FastV(DecoderStage):
    def layers(self):
        return {2: None}

    def choose(self, index, layer, rows, _):
        last = torch.tensor([len(rows.hidden) - 1])
        scores = self.attention(*self.previous(index), last, rope=self.options["rope"]).mean(0)[0]
        return self.best(rows, scores, lambda image, n: round(self.share * n))


if __name__ == "__main__":
    for name, rope in {"fastV": True, "fastV-no-rope": False}.items():
        record(name, FastV, lambda share: {"stages": [{"method": "fastV", "keep": share, "rope": rope}]}, rope=rope)
