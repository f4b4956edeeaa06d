"""What recorders of methods inside the decoder share: the rows as they entered the layer before, and files of weights."""

import copy

import torch
from safetensors.torch import save_file

from harness import GOLDEN, Reference, top_rows


class DecoderStage(Reference):
    """Acts at some layers; override choose. positions are the published ones."""

    positions = "original"
    pictures = {}  # pixels: their rows; the tower is the same for every budget

    def encode(self, pixels):
        key = pixels.numpy().tobytes()
        if key not in self.pictures:
            self.pictures[key] = torch.stack(self.model.get_image_features(pixels).pooler_output)
        return [(torch.arange(len(rows)), rows) for rows in self.jitter(self.pictures[key])]

    def layers(self):
        """Layers that drop rows, and what choose wants to know of each."""
        return {}

    def choose(self, index, layer, rows, option):
        """Per image, rows of rows.hidden to keep."""

    def before_layer(self, index, layer, rows):
        if index == 0:
            self.first = copy.copy(rows)
        if index in self.layers():
            self.drop(rows, self.choose(index, layer, rows, self.layers()[index]))
        self.before = copy.copy(rows)  # and its attributes are replaced, never changed

    def previous(self, index):
        """The layer before, and the rows as they entered it. Nothing has left since when stages are a layer apart."""
        return self.lm.layers[index - 1], self.before

    def best(self, rows, scores, keep):
        """The best rows of each image by scores of all rows; keep: rows of an image to how many of them stay."""
        spans = [rows.of_image(image) for image in range(rows.n_images)]
        return [span[top_rows(scores[span], keep(image, len(span)))] for image, span in enumerate(spans)]


def stretches(text):
    """Rows of text (ascending), apart where images stand between them."""
    return torch.tensor_split(text, (text.diff() > 1).nonzero()[:, 0] + 1)


def save_weights(name, tensors):
    """Commits weights that a method reads; returns the path for plans, from the repository's root."""
    path = GOLDEN / "methods" / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    return f"test/golden/methods/{name}.safetensors"
