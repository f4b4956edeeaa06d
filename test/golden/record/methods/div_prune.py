"""DivPrune on centred rows; plain DivPrune is in ../pyramid_drop.py."""

from harness import Reference, record
from pyramid_drop import max_min_rows
from similarity import centered


class CenteredDivPrune(Reference):
    def projected(self, rows):
        chosen = []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            chosen.append(span[max_min_rows(centered(rows.hidden[span]), round(self.share * len(span)))[0]])
        self.drop(rows, chosen)


if __name__ == "__main__":
    plan = lambda share: {"stages": [{"method": "divPrune", "keep": share, "center": True}]}  # noqa: E731
    record("divPrune", CenteredDivPrune, plan)
