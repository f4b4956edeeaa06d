"""SparseVLM: rows of the question that the picture speaks to rank the visual rows in the layer before."""

import torch
from decoder_stages import DecoderStage
from harness import record

DEPTH = {1: 1, 2: 2 / 3, 4: 2 / 5}  # layer: its part of the share


class SparseVlm(DecoderStage):
    def layers(self):
        return {layer: self.share * part for layer, part in DEPTH.items()}

    def raters(self):
        """Rows of the prompt, by their place before anything was dropped."""
        rows = self.first
        visual = (rows.image >= 0).nonzero()[:, 0]
        text = torch.arange(visual[-1] + 1, len(rows.hidden))
        shares = torch.softmax(rows.hidden[visual] @ rows.hidden[text].T, dim=-1).mean(0)
        return rows.positions[text[shares > shares.mean()]]

    def choose(self, index, layer, rows, ratio):
        if rows.n_images == 0:
            return []
        raters = torch.isin(rows.positions, self.raters()).nonzero()[:, 0]
        scores = self.attention(*self.previous(index), raters).mean(0).mean(0)
        return self.best(rows, scores, lambda image, n: round(ratio * rows.entered_decoder[image]))


if __name__ == "__main__":
    record(
        "sparseVlm",
        SparseVlm,
        lambda share: {"stages": [{"method": "sparseVlm", "keep": [share * part for part in DEPTH.values()]}]},
    )
