"""One round of bipartite merging, by the book: what ToMe and Turbo do, in the tower and among rows of text."""

import torch


def merge(x, size, sources, destinations, score, goes):
    """Folds the `goes` sources of the best scores, or all if there are fewer, each into its best destination.

    x (n, d), size (n); sources, destinations: rows of x; score (n_sources, n_destinations). Returns x and size after
    it, and the rows that stay, ascending.
    """
    best, target = score.max(1)
    order = torch.sort(best, descending=True, stable=True).indices[:goes]
    x, size = x * size[:, None], size.clone()
    for source in order.tolist():
        x[destinations[target[source]]] += x[sources[source]]
        size[destinations[target[source]]] += size[sources[source]]
    stays = torch.ones(len(x), dtype=torch.bool)
    stays[sources[order]] = False
    return x / size[:, None], size, stays.nonzero()[:, 0]
