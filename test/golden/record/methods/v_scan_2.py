"""VScan's second stage: layer 4's own attention of the last row, renumbered afterwards."""

import torch
from decoder_stages import DecoderStage
from harness import record


class VScan2(DecoderStage):
    positions = "compact"

    def layers(self):
        return {4: None}

    def choose(self, index, layer, rows, _):
        last = torch.tensor([len(rows.hidden) - 1])
        return self.best(rows, self.attention(layer, rows, last).mean(0)[0], lambda image, n: round(self.share * n))


if __name__ == "__main__":
    record("vScan2", VScan2, lambda share: {"stages": [{"method": "vScan2", "keep": share}]})
