"""PixelPrune: patches that their left or upper neighbour foretells do not enter the tower. share is tau here."""

import torch
from harness import record
from tower_layers import TowerLayers


class PixelPrune(TowerLayers):
    at_pixels = True

    def before_tower(self, patches):
        tau, n = self.share, round(len(patches) ** 0.5)
        seen = patches.view(n, n, -1).clone()  # what a dropped patch counts as
        like = lambda a, b: bool((a - b).abs().max() <= tau)  # noqa: E731
        kept = []
        for y in range(n):
            for x in range(n):
                if y and x:
                    a, b, c = seen[y, x - 1], seen[y - 1, x], seen[y - 1, x - 1]
                    foretold = b if like(c, a) and not like(c, b) else a
                elif y or x:
                    foretold = seen[y, x - 1] if y == 0 else seen[y - 1, x]
                else:
                    foretold = None
                if foretold is None or not like(seen[y, x], foretold):
                    kept.append(y * n + x)
                else:
                    seen[y, x] = foretold
        return torch.tensor(kept)


if __name__ == "__main__":
    record("pixel-prune", PixelPrune, lambda tau: {"stages": [{"method": "pixelPrune", "tau": tau}]},
           shares=(0, 0.5, 1.5))  # fmt: skip
