"""CDPruner with OpenVINO's options: a determinantal point process conditioned on the prompt."""

import math

import torch
from harness import Reference, record
from similarity import centered, cosine, distinctiveness, first_max, likeness, min_max


def greedy_map(kernel, keep):
    """Fast greedy MAP inference as published: marginal gains d2, one orthogonal vector per pick."""
    n = len(kernel)
    d2, vectors, chosen = kernel.diagonal().clone(), torch.zeros(keep, n, dtype=torch.float64), []
    left = torch.ones(n, dtype=torch.bool)
    for t in range(keep):
        j = first_max(d2, left)
        left[j] = False
        chosen.append(j)
        vectors[t] = (kernel[j] - vectors[:t, j] @ vectors[:t]) / torch.sqrt(d2[j] + 1e-6)
        d2 = torch.nan_to_num(d2 - vectors[t] ** 2, nan=-1e300)
    return sorted(chosen)


class CdPruner(Reference):
    def projected(self, rows):
        if rows.n_images == 0:
            return self.drop(rows, [])
        w, sign = self.options.get("relevance_weight", 0.5), self.options.get("sign", 1)
        prompt = rows.hidden[self.text(rows)].double().mean(dim=0, keepdim=True)
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            v = rows.hidden[span]
            n = len(span)
            keep = math.floor(n * self.share + 0.5)
            geometry = centered(v) if self.options.get("center") else v
            taste = min_max(distinctiveness(v)) if self.options.get("center") else torch.ones(n, dtype=torch.float64)
            halves = [(0, n // 2, keep // 2), (n // 2, n, keep - keep // 2)] if self.options.get("split") else [(0, n, keep)]
            kept = []
            for begin, end, count in halves:
                r = min_max(sign * cosine(v, prompt)[begin:end, 0])
                weight = torch.ones_like(r) if w == 0 else r if w == 1 else torch.exp(w / (2 * (1 - w)) * r)
                weight = weight * taste[begin:end]
                part = geometry[begin:end]
                similar = likeness(part, self.generator).fill_diagonal_(1)  # to the bit, so that equal weights tie
                kernel = weight[:, None] * similar * weight[None]
                kept += [begin + row for row in greedy_map(kernel, count)]
            chosen.append(span[torch.tensor(kept)])
        self.drop(rows, chosen)


def stage(share, **options):
    return {"stages": [{"method": "cdPruner", "keep": share, **options}]}


if __name__ == "__main__":
    # Alike as projected rows are, f32 says nothing about the order of the rows behind the first few dozen.
    record("cdPruner", CdPruner, lambda share: stage(share), shares=(0.125, 0.0625, 0.03125))
    for name, options in {
        "cdPruner plain kernel": {"relevance_weight": 1, "sign": -1},
        "cdPruner diversity only": {"relevance_weight": 0},
        "cdPruner centered": {"center": True},
        "cdPruner split": {"split": True},
    }.items():
        plan = lambda share, options=options: stage(share, **options)  # noqa: E731
        record(name, CdPruner, plan, shares=(0.0625,), kinds=("single", "pair"), **options)
    percent = lambda share: {"stages": [{"method": "cdPruner", "pruning_ratio": round(100 - 100 * share)}]}  # noqa: E731
    record("cdPruner pruning_ratio", CdPruner, percent, shares=(0.06,), kinds=("single",))
