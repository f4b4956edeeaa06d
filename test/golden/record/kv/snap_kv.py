"""SnapKV: methods-reduction 2F. The group of query heads that share a KV head is averaged before the choice."""

import torch
from cache_harness import KvReference, best_rows, record


class SnapKv(KvReference):
    def choose(self):
        window, kernel = self.options["window"], self.options["kernel"]
        rows = []
        for probabilities, n in zip(self.probabilities, self.seen):
            asked = self.per_kv_head(probabilities[:, -window:]).sum(1)  # (n_kv_heads, n)
            prefix = max(0, n - window)
            if prefix:
                pooled = torch.nn.functional.avg_pool1d(asked[None, :, :prefix], kernel, stride=1, padding=kernel // 2)
                asked = torch.cat([pooled[0], asked[:, prefix:]], 1)
            rows.append([best_rows(head, max(1, int(self.share * n)), last=window) for head in asked])
        return rows


def plan(share, options):
    before = [{"method": "pyramidDrop", "layers": [2, 4], "keep": [0.5, 0.25]}] if "before" in options else []
    return {"stages": [*before, {"method": "snapKv", "keep": share, "window": options["window"], "kernel": options["kernel"]}]}


if __name__ == "__main__":
    usual = {"window": 32, "kernel": 5}
    record("snapKv", SnapKv, plan, [
        *((share, usual, ("single", "pair", "text")) for share in (0.5, 0.25, 0.125)),
        (0.25, {"window": 8, "kernel": 7}, ("single", "text")),
        (0.25, {"window": 16, "kernel": 5, "before": "pyramidDrop"}, ("single",)),
    ])  # fmt: skip
