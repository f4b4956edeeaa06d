"""DyVTE with random gates: the first gate that says so sends every visual row away. The shares number the gates."""

import torch
from decoder_stages import DecoderStage, save_weights
from harness import record

INNER = 4
SHARES = (0.0, 1.0, 2.0)


def gates(share):
    generator = torch.Generator().manual_seed(11 + int(share))
    random = lambda *shape: torch.randn(*shape, generator=generator).half()  # noqa: E731
    return {
        f"model.visual_gates_router.{layer}.{name}.weight": random(*shape)
        for layer in range(7)
        for name, shape in (("w1", (INNER, 512)), ("w2", (2, INNER)))
    }


class DyVte(DecoderStage):
    def layers(self):
        return {index: None for index in range(1, 8)}

    def choose(self, index, layer, rows, _):
        spans = [rows.of_image(image) for image in range(rows.n_images)]
        if not any(len(span) for span in spans):
            return spans
        text = rows.hidden[spans[-1][-1] + 1 :]
        f = torch.cat([text[:-1].mean(0), text[-1]])
        w1, w2 = (gates(self.share)[f"model.visual_gates_router.{index - 1}.{name}.weight"].float() for name in ("w1", "w2"))
        logits = w2 @ torch.nn.functional.gelu(w1 @ f)
        return [span[:0] for span in spans] if logits[1] > logits[0] else spans


if __name__ == "__main__":
    files = {share: save_weights(f"dyVte-{int(share)}", gates(share)) for share in SHARES}
    record("dyVte", DyVte, lambda share: {"stages": [{"method": "dyVte", "gates": files[share]}]}, SHARES)
