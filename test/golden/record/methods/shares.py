"""Dealing rows out by worth, for methods whose budget is not the same everywhere."""


def apportion(total, worth, room):
    """Whole rows of the share of each; what is left goes to the largest worth, and on to the next when that is full."""
    quotas = [min(space, int(total * w / sum(worth) + 1e-9)) for w, space in zip(worth, room)]
    for i in sorted(range(len(worth)), key=lambda i: -worth[i]):
        quotas[i] += min(total - sum(quotas), room[i] - quotas[i])
    return quotas
