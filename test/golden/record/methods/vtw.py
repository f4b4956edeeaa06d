"""VTW: no visual rows from a layer on. There is no budget: the shares are shares of the depth."""

from decoder_stages import DecoderStage
from harness import record


class Vtw(DecoderStage):
    def layers(self):
        return {int(8 * self.share): None}

    def choose(self, index, layer, rows, _):
        return [rows.of_image(image)[:0] for image in range(rows.n_images)]


if __name__ == "__main__":
    record("vtw", Vtw, lambda share: {"stages": [{"method": "vtw", "layer": int(8 * share)}]})
