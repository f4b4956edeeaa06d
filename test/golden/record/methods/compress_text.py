"""compressText: rows of text that the last rows attend to; images stay whole."""

import torch
from decoder_stages import DecoderStage, stretches
from harness import load_processor, record, top_rows

FIRST, LAST, LAYER = 2, 4, 2
special = torch.tensor(load_processor().tokenizer.all_special_ids)


class CompressText(DecoderStage):
    def start(self, inputs):
        self.ids = inputs["input_ids"][0]
        self.text_stages = []
        return super().start(inputs)

    def before_layer(self, index, layer, rows):
        if index != LAYER:
            return
        n = len(rows.hidden)
        scores = self.jitter(self.attention(layer, rows, torch.arange(n - LAST, n))).mean(0).mean(0)
        stays = (rows.image >= 0) | torch.isin(self.ids, special)
        stays[:FIRST] = stays[-LAST:] = True
        for stretch in stretches(self.text(rows)):
            keep = max(1, round(self.share * len(stretch)))
            stays[stretch[top_rows(scores[stretch], keep)]] = True
        left = stays.nonzero()[:, 0]
        for name in ("hidden", "positions", "image", "raster"):
            setattr(rows, name, getattr(rows, name)[left])
        self.stages.append(rows.kept())
        self.text_stages.append(rows.positions[rows.image < 0].tolist())


if __name__ == "__main__":
    record(
        "compressText",
        CompressText,
        lambda share: {"stages": [{"method": "compressText", "keep": share, "first": FIRST, "last": LAST}]},
        kinds=("single", "pair", "text"),
    )
