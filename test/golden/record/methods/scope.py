"""SCOPE: coverage of the tower's features by cosine, gains times what the class row attends to."""

import torch
from harness import Reference, record
from similarity import cosine, coverage


class Scope(Reference):
    noise = 2e-5  # gains of coverage differ little

    def projected(self, rows):
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            x, saliency = self.tower.features[image], self.tower.class_attention()[image].double()
            ones = torch.ones(len(x), dtype=torch.float64)
            chosen.append(span[coverage(cosine(x, x), ones, saliency, round(self.share * len(span)))])
        self.drop(rows, chosen)


if __name__ == "__main__":
    record("scope", Scope, lambda share: {"stages": [{"method": "scope", "keep": share}]})
