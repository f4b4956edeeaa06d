"""SparseVLM: rows of the question that the picture speaks to rank the visual rows in the layer before."""

import math

import torch
from decoder_stages import DecoderStage
from harness import record, top_rows

DEPTH = {1: 1, 2: 2 / 3, 4: 2 / 5}  # layer: its part of the share


class SparseVlm(DecoderStage):
    def layers(self):
        return {layer: self.share * part for layer, part in DEPTH.items()}

    def raters(self):
        """Rows of the prompt, by their place before anything was dropped."""
        rows = self.first
        visual = (rows.image >= 0).nonzero()[:, 0]
        text = torch.arange(visual[-1] + 1, len(rows.hidden))
        shares = torch.softmax(rows.hidden[visual] @ rows.hidden[text].T, dim=-1).mean(0)
        return rows.positions[text[shares > shares.mean()]]

    def choose(self, index, layer, rows, ratio):
        if rows.n_images == 0:
            return []
        raters = torch.isin(rows.positions, self.raters()).nonzero()[:, 0]
        scores = self.attention(*self.previous(index), raters).mean(0).mean(0)
        kept = self.best(rows, scores, lambda image, n: round(ratio * rows.entered_decoder[image]))
        if not self.options.get("recycle"):
            return kept
        return [self.recycle(rows, scores, rows.of_image(image), best) for image, best in enumerate(kept)]

    def recycle(self, rows, scores, span, kept):
        """Clusters of the better dropped rows; kept and their centres, which hold the clusters' means."""
        dropped = span[~torch.isin(span, kept)]
        if not len(dropped):
            return kept
        better = dropped[top_rows(scores[dropped], math.ceil(0.3 * len(dropped)))]
        count = math.ceil(0.1 * len(better))
        x = rows.hidden[better].double()
        distance = self.jitter((x[:, None] - x[None]).norm(dim=-1) / x.shape[1] ** 0.5)
        distance = (distance + distance.T) / 2  # to the bit, so that the closest two of all tie
        density = torch.exp(-(torch.topk(distance, count, largest=False).values ** 2).mean(1))
        lower = torch.ones(len(x), len(x)).tril(-1).bool()  # of equally dense rows the lower one is denser
        denser = (density[None] > density[:, None]) | ((density[None] == density[:, None]) & lower)
        apart = torch.where(denser, distance, distance.max()).min(1).values
        centres = top_rows(apart * density, count)
        into = distance[:, centres].argmin(1)
        into[centres] = torch.arange(count)
        for i, centre in enumerate(centres):
            rows.hidden[better[centre]] = x[into == i].mean(0).float()
        return torch.sort(torch.cat([kept, better[centres]])).values


if __name__ == "__main__":
    record(
        "sparseVlm",
        SparseVlm,
        lambda share: {"stages": [{"method": "sparseVlm", "keep": [share * part for part in DEPTH.values()]}]},
    )
    again = lambda share: {"stages": [{"method": "sparseVlm", "keep": [share * part for part in DEPTH.values()], "recycle": True}]}  # noqa: E501, E731
    record("sparseVlm recycle", SparseVlm, again, kinds=("single", "pair"), recycle=True)
