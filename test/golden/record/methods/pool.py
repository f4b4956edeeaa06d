"""Pooling: squares of projected rows become their mean, at the square's first row."""

import torch
from harness import record, Reference


class Pool(Reference):
    def projected(self, rows):
        side, chosen = round(self.share**-0.5), []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            n = round(len(span) ** 0.5)
            grid = rows.hidden[span].view(n, n, -1)
            first = []
            for top in range(0, n, side):
                for left in range(0, n, side):
                    row = span[top * n + left]
                    rows.hidden[row] = grid[top : top + side, left : left + side].flatten(0, 1).mean(0)
                    first.append(row)
            chosen.append(torch.stack(first))
        self.drop(rows, chosen)


if __name__ == "__main__":
    record("pool", Pool, lambda share: {"stages": [{"method": "pool", "side": round(share**-0.5)}]},
           shares=(1 / 4, 1 / 9, 1 / 36))  # fmt: skip
