"""attentionExit: all visual rows leave where the last row gives them too little. The shares are thresholds."""

import torch
from decoder_stages import DecoderStage
from harness import record


class AttentionExit(DecoderStage):
    def layers(self):
        return {index: None for index in range(2, 8)}

    def choose(self, index, layer, rows, _):
        last = torch.tensor([len(rows.hidden) - 1])
        mass = self.attention(layer, rows, last).mean(0)[0][rows.image >= 0].sum()
        spans = [rows.of_image(image) for image in range(rows.n_images)]
        return spans if mass >= self.share else [span[:0] for span in spans]


if __name__ == "__main__":
    shares = (0.5, 0.25, 0.125)
    record("attentionExit", AttentionExit, lambda share: {"stages": [{"method": "attentionExit", "threshold": share}]}, shares)
