"""Down-scaling: a smaller picture, with position embeddings interpolated as transformers does it."""

import harness
import torch
from harness import record, Reference


class Downscale(Reference):
    def encode(self, pixels):
        layer = self.config.vision_feature_layer
        seen = self.model.model.vision_tower(pixels, output_hidden_states=True, interpolate_pos_encoding=True)
        projected = self.model.model.multi_modal_projector(seen.hidden_states[layer][:, 1:])
        kept = torch.arange(projected.shape[1])
        self.stages.append([kept] * len(pixels))
        return [(kept, p) for p in projected]


def smaller(side):
    processor = Downscale.load()
    processor.image_processor.size = {"shortest_edge": side}
    processor.image_processor.crop_size = {"height": side, "width": side}
    return processor


if __name__ == "__main__":
    Downscale.load = staticmethod(harness.load_processor)
    for share, patches in ((0.5, 11), (0.25, 8), (0.125, 6)):  # of 16 x 16
        harness.load_processor = lambda patches=patches: smaller(14 * patches)
        record(f"downscale-{share}", Downscale, lambda share: {"stages": [{"method": "downscale", "keep": share}]},
               shares=(share,))  # fmt: skip
