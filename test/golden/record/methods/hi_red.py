"""HiRED: images share the budget by what the class row attends to in layer 0; the last layer says which rows stay."""

import torch
from harness import Reference, record
from shares import apportion
from tower_out import top


class HiRed(Reference):
    def projected(self, rows):
        if rows.n_images == 0:
            return self.drop(rows, [])
        spans = [rows.of_image(image) for image in range(rows.n_images)]
        sizes = [len(span) for span in spans]
        best = top(self.tower.class_attention(0).flatten(), sum(sizes) // 2) // sizes[0]  # images of equal size
        counts = torch.bincount(best, minlength=len(spans)).double()
        worth = [0.5 * size / sum(sizes) + 0.5 * float(count / len(best)) for size, count in zip(sizes, counts)]
        quotas = apportion(sum(round(self.share * size) for size in sizes), worth, sizes)
        attention = self.tower.class_attention()
        self.drop(rows, [span[top(attention[image], quotas[image])] for image, span in enumerate(spans)])


if __name__ == "__main__":
    record("hiRed", HiRed, lambda share: {"stages": [{"method": "hiRed", "keep": share}]})
