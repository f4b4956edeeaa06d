"""DART on embeddings: pivots of the largest L1 norm, and the rows least like them, pivot by pivot."""

import math

import torch
from harness import Reference, record
from similarity import cosine, text_behind

PIVOTS = 4  # of the image, and of the text


def largest(x, count):
    return torch.sort(x.double().abs().sum(dim=-1), descending=True, stable=True).indices[:count].tolist()


class Dart(Reference):
    def projected(self, rows):
        if rows.n_images == 0:
            return self.drop(rows, [])
        words = text_behind(rows)
        words = words[largest(words, PIVOTS)]
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            v = rows.hidden[span]
            keep = math.ceil(self.share * len(span))
            pivots = largest(v, min(PIVOTS, keep))
            guides = torch.cat([v[pivots], words])
            similar = cosine(guides, v)
            kept, wanted = list(pivots), keep - len(pivots)
            for g in range(len(guides)):
                share = wanted // len(guides) + (g < wanted % len(guides))
                free = [row for row in range(len(v)) if row not in kept]
                kept += sorted(free, key=lambda row: (float(similar[g, row]), row))[:share]  # noqa: B023
            chosen.append(span[torch.tensor(sorted(kept))])
        self.drop(rows, chosen)


if __name__ == "__main__":
    record("dart", Dart, lambda share: {"stages": [{"method": "dart", "keep": share}]})
