"""V2Drop: the rows that the layer before has changed most. Two layers and the published third, which keeps one row."""

from decoder_stages import DecoderStage
from harness import record


class V2Drop(DecoderStage):
    def layers(self):
        return {1: self.share, 4: self.share, 6: 0.0}

    def choose(self, index, layer, rows, ratio):
        _, before = self.previous(index)
        change = (rows.hidden - before.hidden).norm(dim=-1)
        return self.best(rows, change, lambda image, n: max(1, int(ratio * n)))


if __name__ == "__main__":
    # 0.5 is the published plan; 1e-9 of the rows is one row, too.
    record("v2Drop", V2Drop, lambda share: {"stages": [{"method": "v2Drop", **({} if share == 0.5 else {"keep": [share, share, 1e-9]})}]})
