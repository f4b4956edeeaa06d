"""Evenly spaced rows: row floor((2 i + 1) n / (2 keep))."""

import torch
from harness import Reference, record


class Uniform(Reference):
    def projected(self, rows):
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            keep = round(self.share * len(span))
            chosen.append(span[torch.tensor([(2 * i + 1) * len(span) // (2 * keep) for i in range(keep)])])
        self.drop(rows, chosen)


if __name__ == "__main__":
    record("uniform", Uniform, lambda share: {"stages": [{"method": "uniform", "keep": share}]})
