"""ATP-LLaVA with made-up heads: thresholds of the picture's own scores. The shares set how many rows they let pass."""

import torch
from decoder_stages import DecoderStage, save_weights
from harness import record, rotate

SHARES = (0.5, 0.25, 0.125)
STRIDE = {1: 1, 4: 2, 6: 4}
VALUE = {1: 0.0, 4: 0.25, 6: 0.8125}


def heads(share):
    """D = 3. Redundancy: about the score's mean, more the smaller the share; spatial: a grid at layer 6 only."""
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for layer in STRIDE:
        name = f"atp.{layer}"
        tensors[f"{name}.score_projection.weight"] = torch.randn(3, 2, generator=generator) * 0.1
        tensors[f"{name}.score_projection.bias"] = torch.randn(3, generator=generator) * 0.1
        tensors[f"{name}.redundant_threshold_head.weight"] = torch.randn(1, 3, generator=generator) * 0.1
        tensors[f"{name}.redundant_threshold_head.bias"] = torch.tensor([-2.0 - 4 * share])
        tensors[f"{name}.spatial_threshold_head.weight"] = torch.randn(1, 3, generator=generator) * 0.1
        tensors[f"{name}.spatial_threshold_head.bias"] = torch.tensor([0.0])
    return tensors


class Atp(DecoderStage):
    def layers(self):
        return STRIDE

    def choose(self, index, layer, rows, stride):
        weights, module = heads(self.share), layer.self_attn
        normed = layer.input_layernorm(rows.hidden)
        split = lambda x: x.view(len(x), -1, module.head_dim).transpose(0, 1)[None]  # noqa: E731
        q, k = (rotate(split(p(normed)), *self.rotation(rows.positions)) for p in (module.q_proj, module.k_proj))
        k = k.repeat_interleave(module.num_key_value_groups, dim=1)
        logits = (q[0] @ k[0].transpose(1, 2) * module.head_dim**-0.5).mean(0)
        paid = self.attention(layer, rows, self.text(rows)).mean(0).mean(0)
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            own, cross = logits[span][:, span].mean(1), paid[span]
            linear = lambda x, n: weights[f"atp.{index}.{n}.weight"] @ x + weights[f"atp.{index}.{n}.bias"]  # noqa: E731, B023
            z = linear(torch.stack([own.mean(), cross.mean()]), "score_projection")
            redundancy = (own + cross) / 2
            passed = redundancy > torch.sigmoid(linear(z, "redundant_threshold_head"))
            if not passed.any():
                passed[redundancy.argmax()] = True
            on_grid = (rows.raster[span] // 16 % stride == 0) & (rows.raster[span] % 16 % stride == 0)
            if VALUE[index] > torch.sigmoid(linear(z, "spatial_threshold_head")):
                passed = passed | on_grid
            chosen.append(span[passed])
        return chosen


if __name__ == "__main__":
    files = {share: save_weights(f"atp-{share}", heads(share)) for share in SHARES}
    record("atp", Atp, lambda share: {"stages": [{"method": "atp", "heads": files[share]}]}, SHARES)
