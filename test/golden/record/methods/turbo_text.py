"""turboText: Turbo's merging of rows of text inside the decoder; images stay whole."""

import torch
from bipartite import merge
from decoder_stages import DecoderStage, stretches
from harness import load_processor, record
from tower_out import unit

FIRST, LAST, LAYER, COEFFICIENT = 2, 4, 2, 150
special = torch.tensor(load_processor().tokenizer.all_special_ids)


class TurboText(DecoderStage):
    noise = 1e-5  # attention counts COEFFICIENT times, and so does its rounding

    def start(self, inputs):
        self.ids = inputs["input_ids"][0]
        self.text_stages = []
        return super().start(inputs)

    def before_layer(self, index, layer, rows):
        if index < LAYER:
            return
        n = len(rows.hidden)
        attention = self.jitter(self.attention(layer, rows, torch.arange(n - LAST, n))).mean(0).mean(0)
        keys = layer.self_attn.k_proj(layer.input_layernorm(rows.hidden)).unflatten(-1, (-1, layer.self_attn.head_dim))
        metric = unit(self.jitter(keys).mean(1))
        free = (rows.image < 0) & ~torch.isin(self.ids[rows.positions], special)
        free[:FIRST] = free[-LAST:] = False
        if index == LAYER:
            self.size, self.entered = torch.ones(n), [len(stretch) for stretch in stretches(self.text(rows))]
        rounds = len(self.lm.layers) - LAYER
        hidden, size, stays = rows.hidden, self.size, torch.ones(n, dtype=torch.bool)
        for stretch, entered in zip(stretches(self.text(rows)), self.entered):
            keep = max(1, round(self.share ** ((index - LAYER + 1) / rounds) * entered))
            chosen = stretch[free[stretch]]
            even, odd = chosen[0::2], chosen[1::2]
            if len(odd) == 0 or keep >= len(stretch):
                continue
            score = metric[even] @ metric[odd].T - COEFFICIENT * attention[even, None]
            hidden, size, left = merge(hidden, size, even, odd, score, len(stretch) - keep)
            stays &= torch.isin(torch.arange(n), left)
        left = stays.nonzero()[:, 0]
        rows.hidden, self.size = hidden[left], size[left]
        for name in ("positions", "image", "raster"):
            setattr(rows, name, getattr(rows, name)[left])
        self.stages.append(rows.kept())
        self.text_stages.append(rows.positions[rows.image < 0].tolist())


if __name__ == "__main__":
    record(
        "turboText",
        TurboText,
        lambda share: {"stages": [{"method": "turboText", "keep": share, "first": FIRST, "last": LAST}]},
        kinds=("single", "pair", "long", "text"),
    )
