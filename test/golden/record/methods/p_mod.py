"""p-MoD with random routers: the best rows of a layer run, the others run past it. The shares are the schedule's shift."""

import math

import torch
from decoder_stages import DecoderStage, save_weights
from harness import record, top_rows

SHARES = (0.5, 0.36, 0.7)
N_LAYERS = 8


def schedule(shift, n_layers, period, most=0.85, least=0.15):
    shares = {l: math.cos(math.pi * l / period) / 2 + shift for l in range(n_layers)}
    return {l: max(share, least) for l, share in shares.items() if share <= most}


def routers():
    generator = torch.Generator().manual_seed(5)
    random = lambda *shape: torch.randn(*shape, generator=generator) * 0.01  # noqa: E731; a saturated tanh would tie
    names = {l: f"model.layers.{l}.router.router" for l in range(1, N_LAYERS)}
    return {f"{n}.{k}": random(*s) for n in names.values() for k, s in (("weight", (1, 256)), ("bias", (1,)))}


class PMod(DecoderStage):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.weights, self.shares_of, self.ran = routers(), schedule(self.share, N_LAYERS, N_LAYERS - 1), []

    def run_layer(self, index, layer, rows):
        ratio = self.shares_of.get(index)
        if ratio is None:
            self.ran.append(len(rows.hidden))
            return super().run_layer(index, layer, rows)
        name = f"model.layers.{index}.router.router"
        x = rows.hidden
        g = 0.2 * torch.tanh(x @ self.weights[f"{name}.weight"][0] + self.weights[f"{name}.bias"]) + 1
        runs = rows.image < 0
        for image in range(rows.n_images):
            span = rows.of_image(image)
            runs[span[top_rows(g[span], max(1, int(ratio * len(span))))]] = True
        some = runs.nonzero()[:, 0]
        self.ran.append(len(some))
        self.stages.append(rows.kept())
        mask = torch.full((len(some), len(some)), torch.finfo(torch.float32).min).triu(1)[None, None]
        attended, _ = layer.self_attn(
            hidden_states=layer.input_layernorm(x[some][None]), position_embeddings=self.rotation(rows.positions[some]),
            attention_mask=mask, past_key_values=self.cache,
        )  # fmt: skip
        y = x[some] + attended[0]
        f = layer.mlp(layer.post_attention_layernorm(y))
        visual = (rows.image[some] >= 0)[:, None]
        out = torch.where((rows.image >= 0)[:, None], g[:, None] * x, x)
        out[some] = y + torch.where(visual, g[some][:, None] * f, f)
        return out

    def run(self, inputs):
        logits = super().run(inputs)
        self.rows_per_layer = self.ran
        return logits


def check_specification():
    """Rows of 576 per layer, as the released code counts them."""
    shares = schedule(0.5, 32, 31)
    kept = [int(576 * shares[l]) if l in shares else 576 for l in range(32)]
    expected = [576] * 8 + [486, 464, 440, 414, 388, 360, 331, 302, 273, 244, 215, 187, 161, 135, 111, 89] + [86] * 8
    assert kept == expected, kept


if __name__ == "__main__":
    check_specification()
    file = save_weights("pMod", routers())
    record("pMod", PMod, lambda share: {"stages": [{"method": "pMod", "routers": file, "shift": share}]}, SHARES)
