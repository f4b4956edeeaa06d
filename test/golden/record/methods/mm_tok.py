"""MMTok: greedy coverage of the words and of the picture, both as softmax similarities."""

import torch
from harness import Reference, record
from similarity import cosine, coverage, text_behind


class MmTok(Reference):
    noise = 2e-5  # gains of coverage differ little

    def projected(self, rows):
        if rows.n_images == 0:
            return self.drop(rows, [])
        words = text_behind(rows)
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            v, x = rows.hidden[span], self.tower.features[image]
            text_term = torch.softmax(cosine(words, v) / 0.02, dim=1) / len(words)
            picture_term = 0.5 * torch.softmax(cosine(x, x) / 0.2, dim=1) / len(x)
            cover = torch.cat([text_term, picture_term])
            ones = torch.ones(len(cover), dtype=torch.float64)
            chosen.append(span[coverage(cover, ones, torch.ones(len(v), dtype=torch.float64), round(self.share * len(span)))])
        self.drop(rows, chosen)


if __name__ == "__main__":
    record("mmTok", MmTok, lambda share: {"stages": [{"method": "mmTok", "keep": share}]})
