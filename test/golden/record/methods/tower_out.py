"""What the recorders of methods at the tower's output share."""

import torch
from harness import Reference, Tower


class TowerOut(Reference):
    """A method that chooses, and may change, the rows that the tower gives, before the projector."""

    def choose(self, image):
        """Raster rows of the image that stay (ascending), and their features (kept, d)."""
        raise NotImplementedError

    def encode(self, pixels):
        self.tower = Tower(self.model, pixels, self.jitter)
        chosen = [self.choose(image) for image in range(len(pixels))]
        self.stages.append([kept for kept, _ in chosen])
        return [(kept, self.model.model.multi_modal_projector(features)) for kept, features in chosen]


def top(scores, keep):
    """The rows of the largest scores, ascending; ties go to the lower one."""
    return torch.sort(torch.sort(scores, descending=True, stable=True).indices[:keep]).values


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)
