"""The vision tower block by block, for methods that act inside it; what it shares with transformers are the modules."""

import torch
from harness import Reference


class TowerLayers(Reference):
    """Override before_tower, or inside, which may drop and merge rows of one image."""

    def before_tower(self, patches):
        """Places (ascending) of the patches (n, 3 * p * p), raster order, that enter the tower."""
        return torch.arange(len(patches))

    def inside(self, layer, rows, attention, keys):
        """Between a layer's attention and its FFN. rows: x (1 + n, d), place (n), size (1 + n). attention (n_heads,
        1 + n, 1 + n), keys (n_heads, 1 + n, d_head). May replace what is in rows; the class row stays first."""

    def encode(self, pixels):
        tower = self.model.model.vision_tower
        tower = getattr(tower, "vision_model", tower)
        blocks = tower.encoder.layers
        layer = self.model.config.vision_feature_layer
        n_layers = len(blocks) + 1 + layer if layer < 0 else layer
        images, reports = [], []
        for image in pixels:
            embedded = tower.pre_layrnorm(self.embed(tower, image[None]))[0]
            side = tower.config.patch_size
            patches = image.unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1)
            place = self.before_tower(patches)
            rows = {"x": torch.cat([embedded[:1], embedded[1 + place]]), "place": place, "size": torch.ones(1 + len(place))}
            self.reported = []
            if self.at_pixels:
                self.reported.append(place)
            for index in range(n_layers):
                self.block(index, blocks[index], rows)
            reports.append(self.reported)
            images.append((rows["place"], self.model.model.multi_modal_projector(rows["x"][None, 1:])[0]))
        self.stages += [[report[s] for report in reports] for s in range(len(reports[0]))]
        return images

    at_pixels = False

    def embed(self, tower, pixels):
        return tower.embeddings(pixels)

    def block(self, index, block, rows):
        attention = block.self_attn
        heads = lambda y: y.unflatten(-1, (-1, attention.head_dim)).transpose(0, 1)  # noqa: E731
        normed = block.layer_norm1(rows["x"])
        q, k, v = (heads(p(normed)) for p in (attention.q_proj, attention.k_proj, attention.v_proj))
        scores = q @ k.transpose(-1, -2) * attention.scale + torch.log(rows["size"])
        weights = torch.softmax(scores, dim=-1)
        rows["x"] = rows["x"] + attention.out_proj((weights @ v).transpose(0, 1).flatten(1))
        self.inside(index, rows, self.jitter(weights), self.jitter(k))
        rows["x"] = rows["x"] + block.mlp(block.layer_norm2(rows["x"]))

    def keep(self, rows, stays):
        """stays: rows (counted with the class row, which is among them) that stay, ascending."""
        rows["x"], rows["size"], rows["place"] = rows["x"][stays], rows["size"][stays], rows["place"][stays[1:] - 1]
        self.reported.append(rows["place"])
