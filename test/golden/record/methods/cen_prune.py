"""Cen-Prune's DivPrune variant: greedy argmax g_i * min over chosen of (1 - cosine of centred rows)."""

from harness import Reference, record
from similarity import centered, distinctiveness, likeness, min_max, weighted_max_min


class CenPrune(Reference):
    def projected(self, rows):
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            v = rows.hidden[span]
            apart = centered(v)
            keep = round(self.share * len(span))
            chosen.append(span[weighted_max_min(likeness(apart, self.generator), min_max(distinctiveness(v)), keep)])
        self.drop(rows, chosen)


if __name__ == "__main__":
    record("cenPrune", CenPrune, lambda share: {"stages": [{"method": "cenPrune", "keep": share}]})
