"""VFlowOpt: rows that global patches look at; what goes before the decoder is recycled by squares of the picture."""

import torch
from harness import Reference, record, top_rows

THRESHOLD, CELL, STAGES = 1.5, 3.7, {3: 0.9, 5: 0.7}


class VFlowOpt(Reference):
    positions = "original"

    def projected(self, rows):
        self.importance = []
        for image in range(rows.n_images):
            attention = self.tower.attention[-1][image].mean(0)[1:, 1:]  # (n, n)
            received = attention.mean(0)
            asking = received > THRESHOLD * received.mean()
            asking = asking if bool(asking.any()) else received == received.max()
            self.importance.append(attention[asking].mean(0))
        spans = [rows.of_image(image) for image in range(rows.n_images)]
        rows.keep([self.recycle(rows, span, self.importance[i]) for i, span in enumerate(spans)], "compact")
        self.stages.append(rows.kept())

    def recycle(self, rows, span, importance):
        n, side = len(span), round(len(span) ** 0.5)
        keep = n - round(n * (1 - self.share + CELL**-2))
        important = top_rows(importance, keep)
        cells = {}
        for row in range(n):
            if row not in important:
                cells.setdefault((int(row // side / CELL), int(row % side / CELL)), []).append(row)
        kept = important.tolist()
        for members in cells.values():
            weight = importance[members] / importance[members].sum()
            into = members[int(weight.argmax())]
            rows.hidden[span[into]] = (weight[:, None] * rows.hidden[span[members]]).sum(0)
            kept.append(into)
        return span[torch.tensor(sorted(kept))]

    def before_layer(self, index, layer, rows):
        if index not in STAGES:
            return
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            keep = max(1, len(span) - round(len(span) * (1 - STAGES[index])))
            chosen.append(span[top_rows(self.importance[image][rows.raster[span]], keep)])
        self.drop(rows, chosen)


def plan(share):
    stage = {"method": "vFlowOpt", "keep": share, "threshold": THRESHOLD, "cell": CELL}
    return {"stages": [{**stage, "layers": list(STAGES), "stages": list(STAGES.values())}]}


if __name__ == "__main__":
    record("vFlowOpt", VFlowOpt, plan)
