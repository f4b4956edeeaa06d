"""FasterVLM: the rows that the class row attends to most."""

from harness import record
from tower_out import TowerOut, top


class FasterVlm(TowerOut):
    def choose(self, image):
        attention = self.tower.class_attention()[image]
        kept = top(attention, round(self.share * len(attention)))
        return kept, self.tower.features[image][kept]


if __name__ == "__main__":
    record("faster-vlm", FasterVlm, lambda share: {"stages": [{"method": "fasterVlm", "keep": share}]})
