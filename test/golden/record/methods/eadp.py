"""EADP: coverage of the projected rows, each worth covering by its importance to the text behind the image."""

import torch
from harness import Reference, record
from similarity import cosine, coverage, min_max, text_behind


def smooth(x, side):
    """A 3 x 3 Gaussian of standard deviation 1 over a picture of side x side, reflected at its edges."""
    taps = torch.exp(-0.5 * torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64) ** 2)
    taps = taps / taps.sum()
    padded = torch.nn.functional.pad(x.view(1, 1, side, side), (1, 1, 1, 1), mode="reflect")
    return torch.nn.functional.conv2d(padded, torch.outer(taps, taps)[None, None]).flatten()


class Eadp(Reference):
    noise = 2e-5  # gains of coverage differ little

    def importance(self, v, text):
        sign = self.options.get("sign", -1)
        whole = sign * cosine(v, text.double().mean(0, keepdim=True))[:, 0]
        words = sign * cosine(v, text)  # (n, m)
        p = torch.softmax(100 * words, dim=0)
        entropy = -(p * p.log()).sum(0)
        few = torch.sort(entropy, stable=True).indices[: max(1, int(0.2 * len(text)))]
        sharp = words[:, few] @ torch.softmax(-entropy[few] / 0.01, dim=0)
        s = smooth(min_max(0.5 * whole + 0.5 * sharp), round(len(v) ** 0.5))
        return s ** self.options.get("beta", 1)

    def projected(self, rows):
        if rows.n_images == 0:
            return self.drop(rows, [])
        text, chosen = text_behind(rows), []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            v = rows.hidden[span]
            cover = (1 + cosine(v, v)) / 2  # as published, from 0
            ones = torch.ones(len(v), dtype=torch.float64)
            chosen.append(span[coverage(cover, self.importance(v, text), ones, round(self.share * len(span)))])
        self.drop(rows, chosen)


if __name__ == "__main__":
    record("eadp", Eadp, lambda share: {"stages": [{"method": "eadp", "keep": share}]})
    like = lambda share: {"stages": [{"method": "eadp", "keep": share, "sign": 1, "beta": 2}]}  # noqa: E731
    record("eadp like the text", Eadp, like, shares=(0.25,), kinds=("single", "pair"), sign=1, beta=2)
