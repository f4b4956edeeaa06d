"""PyramidDrop and DivPrune once more, written from their specification on top of transformers' modules.

Slow and plain on purpose: one sequence, no shared code with the engine, every layer with its own cache and its own
position for the token being decoded. What it shares with transformers are the modules: norms, projections, attention.
"""

import torch
from transformers import DynamicCache

from common import GOLDEN, GoldenWriter, MODEL, load_llava, load_processor, margin
from prompts import ask, conversation, digests, finish, questions, spread, to_inputs

NEW_TOKENS = 12
CLEAR_LEAD = 2e-3  # of a token over the next one
F32_NOISE = 3e-7  # of a cosine distance
CLEAR_MARGIN = 1e-4  # of the last row kept over the first one dropped, relative


class Rows:
    """The rows of the prompt that are still there."""

    def __init__(self, hidden, input_ids, image_token, rows_per_image):
        self.hidden = hidden  # (n_rows, d_model)
        self.positions = torch.arange(len(input_ids))
        # Per row: the image it belongs to (-1 for text) and its raster index there.
        visual = input_ids == image_token
        order = torch.cumsum(visual, 0) - 1
        self.image = torch.where(visual, order // rows_per_image, -1)
        self.raster = torch.where(visual, order % rows_per_image, -1)
        self.n_images = int(visual.sum()) // rows_per_image
        self.entered_decoder = None  # rows of each image when layer 0 begins

    def of_image(self, image):
        return (self.image == image).nonzero()[:, 0]

    def kept(self):
        return [self.raster[self.of_image(image)] for image in range(self.n_images)]

    def keep(self, chosen_per_image, positions):
        """Drops every visual row that was not chosen; text stays. Order never changes."""
        stays = self.image < 0
        for chosen in chosen_per_image:
            stays[chosen] = True
        rows = stays.nonzero()[:, 0]
        self.hidden, self.image, self.raster = self.hidden[rows], self.image[rows], self.raster[rows]
        self.positions = self.positions[rows] if positions == "original" else torch.arange(len(rows))


def rotate(x, cos, sin):
    """Rotary embedding of x (1, n_heads, n_rows, d_head): pairs (i, i + d_head / 2)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos[:, None] + torch.cat([-second, first], dim=-1) * sin[:, None]


def lowest_argmax(values):
    """Index of the largest value; the lower index wins a tie."""
    return int((values == values.max()).nonzero()[0, 0])


def top_rows(scores, keep):
    """The `keep` best indices in ascending order; the lower index wins a tie."""
    return torch.sort(scores, descending=True, stable=True).indices[:keep].sort().values


def max_min_rows(vectors, keep, noise=0.0):
    """Greedy max-min selection by cosine distance. Returns ascending indices and the narrowest lead of any pick.

    In f64, and symmetric to the bit: two rows that are each other's nearest neighbour tie exactly, and the lower index
    wins. Such a tie (lead 0) is no accident of rounding, so it does not count as narrow.
    """
    unit = vectors.double()
    unit = unit / unit.norm(dim=-1, keepdim=True)
    distance = 1 - unit @ unit.T + noise
    distance = (distance + distance.T) / 2
    distance.fill_diagonal_(torch.inf)
    nearest = distance.min(dim=0).values  # the first pick is the row whose nearest neighbour is farthest
    chosen, narrowest = [], torch.inf
    for _ in range(keep):
        pick = lowest_argmax(nearest)
        runner_up = nearest[nearest < nearest[pick]].max()
        if torch.isfinite(runner_up):
            narrowest = min(narrowest, float(nearest[pick] - runner_up))
        nearest = torch.minimum(nearest, distance[pick]) if chosen else distance[pick].clone()
        chosen.append(pick)
        nearest[chosen] = -torch.inf
    return torch.tensor(sorted(chosen)), narrowest


def is_steady(vectors, chosen):
    """Whether errors as large as those of an f32 dot product leave the selection as it is.

    They are absolute, about 1e-7 for unit vectors, and matter because projected rows are alike: their distances are small.
    """
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        noise = F32_NOISE * torch.randn(len(vectors), len(vectors), generator=generator, dtype=torch.float64)
        if max_min_rows(vectors, len(chosen), noise)[0].tolist() != chosen.tolist():
            return False
    return True


class PrunedDecoder:
    """Greedy generation with rows dropped and sub-layers left out on the way."""

    def __init__(self, model, plan):
        self.lm, self.head, self.config = model.model.language_model, model.lm_head, model.config
        self.embed_images = lambda pixels: torch.stack(model.get_image_features(pixels).pooler_output)
        stages = plan.get("stages", [])
        self.div_prune = next((s for s in stages if s["method"] == "divPrune"), None)
        self.pyramid = next((s for s in stages if s["method"] == "pyramidDrop"), None)
        self.skipped_ffn = {l for s in plan.get("skipLayers", []) if s["part"] == "ffn" for l in s["layers"]}
        self.positions = plan.get("positions", "compact")
        self.stages = []  # report: kept raster indices per stage and image, with margins

    def rotation(self, positions):
        return self.lm.rotary_emb(self.lm.embed_tokens.weight, position_ids=positions[None])

    def start(self, inputs):
        """Embeds text and images into one stream of rows."""
        ids = inputs["input_ids"][0]
        hidden = self.lm.embed_tokens(ids)
        rows_per_image = 1
        if "pixel_values" in inputs:
            projected = self.embed_images(inputs["pixel_values"])  # (n_images, rows, d_model)
            rows_per_image = projected.shape[1]
            hidden[ids == self.config.image_token_id] = projected.flatten(0, 1)
        return Rows(hidden, ids, self.config.image_token_id, rows_per_image)

    def apply_div_prune(self, rows):
        chosen, margins, steady = [], [], True
        for image in range(rows.n_images):
            span = rows.of_image(image)
            keep = round(self.div_prune["keep"] * len(span))  # Python rounds halves to even
            picked, lead = max_min_rows(rows.hidden[span], keep)
            steady = steady and is_steady(rows.hidden[span], picked)
            chosen.append(span[picked])
            margins.append(lead)
        rows.keep(chosen, self.positions)
        self.stages.append({"kept": rows.kept(), "margins": margins, "clear": steady})

    def rank(self, layer, rows):
        """Attention of the last row over all rows with this layer's own norm and projections, mean over heads."""
        attention = layer.self_attn
        normed = layer.input_layernorm(rows.hidden)
        heads = lambda x: x.view(len(x), -1, attention.head_dim).transpose(0, 1)[None]  # noqa: E731
        q, k = heads(attention.q_proj(normed)), heads(attention.k_proj(normed))
        q, k = (rotate(x, *self.rotation(rows.positions)) for x in (q, k))
        k = k.repeat_interleave(attention.num_key_value_groups, dim=1)
        scores = (q[0, :, -1:] @ k[0].transpose(1, 2)) * attention.head_dim**-0.5  # (n_heads, 1, n_rows)
        return torch.softmax(scores.float(), dim=-1).mean(0)[0]

    def apply_pyramid(self, index, layer, rows):
        scores = self.rank(layer, rows)
        chosen, margins = [], []
        for image in range(rows.n_images):
            span = rows.of_image(image)
            # Counted from the rows that entered the decoder, truncated, whatever earlier stages left.
            keep = int(rows.entered_decoder[image] * self.pyramid["keep"][index])
            chosen.append(span[top_rows(scores[span], keep)])
            margins.append(margin(scores[span], keep))
        rows.keep(chosen, self.positions)
        self.stages.append({"kept": rows.kept(), "margins": margins, "clear": min(margins, default=1) > CLEAR_MARGIN})

    def run_layer(self, index, hidden, positions, mask):
        layer = self.lm.layers[index]
        attended, _ = layer.self_attn(
            hidden_states=layer.input_layernorm(hidden), position_embeddings=self.rotation(positions),
            attention_mask=mask, past_key_values=self.cache,
        )  # fmt: skip
        hidden = hidden + attended
        if index in self.skipped_ffn:
            return hidden
        return hidden + layer.mlp(layer.post_attention_layernorm(hidden))

    def prefill(self, inputs):
        """Logits of the last prompt row. Leaves one cache per layer and each layer's next position behind."""
        rows = self.start(inputs)
        self.prompt_rows = len(rows.positions)
        if self.div_prune:
            self.apply_div_prune(rows)
        rows.entered_decoder = [len(rows.of_image(image)) for image in range(rows.n_images)]
        self.cache, self.next_position, self.rows_per_layer = DynamicCache(), [], []
        for index, layer in enumerate(self.lm.layers):
            if self.pyramid and index in self.pyramid["layers"]:
                self.apply_pyramid(self.pyramid["layers"].index(index), layer, rows)
            n = len(rows.positions)
            mask = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]
            rows.hidden = self.run_layer(index, rows.hidden[None], rows.positions, mask)[0]
            # A generated token follows the rows of this layer, or with original positions the whole prompt.
            self.next_position.append(self.prompt_rows if self.positions == "original" else n)
            self.rows_per_layer.append(n)
        return self.head(self.lm.norm(rows.hidden[-1]))

    def decode(self, token, step):
        """Logits after one more token, the step-th (from 0) that was generated."""
        hidden = self.lm.embed_tokens(torch.tensor([[token]]))
        for index in range(len(self.lm.layers)):
            position = torch.tensor([self.next_position[index] + step])
            hidden = self.run_layer(index, hidden, position, None)
        return self.head(self.lm.norm(hidden[0, -1]))

    def generate(self, inputs, end):
        """Greedy ids (with the end token) and the logits that chose each."""
        logits = [self.prefill(inputs)]
        ids = [lowest_argmax(logits[0])]
        while ids[-1] != end and len(ids) < NEW_TOKENS:
            logits.append(self.decode(ids[-1], len(ids) - 1))
            ids.append(lowest_argmax(logits[-1]))
        return ids, logits


PYRAMID = {"method": "pyramidDrop", "layers": [2, 4, 6], "keep": [0.5, 0.25, 0.125]}
COMPOSED = {
    "stages": [{"method": "divPrune", "keep": 0.5}, {"method": "pyramidDrop", "layers": [4, 6], "keep": [0.5, 0.25]}],
    "skipLayers": [{"part": "ffn", "layers": [3, 5]}],
}


def cases():
    """(name, plan, candidate prompts, how many of them) of everything that is recorded."""
    singles = [ask(q["image"], text=q["question"]) for q in spread(4)]
    pictures = sorted({q["image"] for q in questions()})
    pairs = [ask(a, b, text="How many objects are there?") for a, b in zip(pictures, pictures[3:])]
    turns = [conversation(p, "What color is the background?", "red", "What objects are in the image?") for p in pictures]
    seen = [ask(p, text="What objects are in the image?") for p in pictures[3::5]]
    yield "pyramidDrop", {"stages": [PYRAMID]}, singles, 17
    yield "pyramidDrop two images", {"stages": [PYRAMID]}, pairs, 1
    yield "pyramidDrop two turns", {"stages": [PYRAMID]}, turns, 1
    yield "pyramidDrop text only", {"stages": [PYRAMID]}, [ask(text="How many dogs are there?")], 1
    yield "pyramidDrop original", {"positions": "original", "stages": [PYRAMID]}, singles[2:], 3
    yield "pyramidDrop original two images", {"positions": "original", "stages": [PYRAMID]}, pairs, 1
    for keep in [0.25, 0.098]:
        yield f"divPrune {keep}", {"stages": [{"method": "divPrune", "keep": keep}]}, seen, 8
    yield "divPrune two images", {"stages": [{"method": "divPrune", "keep": 0.25}]}, pairs, 1
    yield "divPrune original", {"positions": "original", "stages": [{"method": "divPrune", "keep": 0.25}]}, seen, 1
    yield "composed", COMPOSED, [*singles[1:], *seen], 2
    yield "composed two images", COMPOSED, pairs, 1


def record(model, processor, name, plan, messages, golden):
    """The case, or None when a selection or a token in it hangs on the order of floating-point additions."""
    inputs = to_inputs(processor, messages)
    decoder = PrunedDecoder(model, plan)
    ids, logits = decoder.generate(inputs, processor.tokenizer.eos_token_id)
    finite = [[m if m != torch.inf else None for m in stage["margins"]] for stage in decoder.stages]
    case = {
        "name": name, "plan": plan, "messages": messages, "margins": finite, "rowsPerLayer": decoder.rows_per_layer, **finish(processor, ids, logits),
    }  # fmt: skip
    if case["lead"] < CLEAR_LEAD or not all(stage["clear"] for stage in decoder.stages):
        return None
    assert [decoder.cache.get_seq_length(i) for i in range(len(decoder.lm.layers))] == [
        n + len(logits) - 1 for n in decoder.rows_per_layer
    ]
    golden.add(f"{name}.input_ids", inputs["input_ids"])
    golden.add(f"{name}.logits", logits[0])
    for s, stage in enumerate(decoder.stages):
        for image, kept in enumerate(stage["kept"]):
            golden.add(f"{name}.kept.{s}.{image}", kept)
    return case


def record_group(model, processor, name, plan, candidates, count, golden):
    """The first `count` candidates without a near-tie."""
    found, ties = [], 0
    for messages in candidates:
        if len(found) == count:
            break
        case = record(model, processor, f"{name} {len(found)}", plan, messages, golden)
        if case:
            found.append(case)
        else:
            ties += 1
    assert len(found) == count, name
    print(f"{name}: {count} prompts, {ties} passed over because of a near-tie")
    return found


def check_golden_vectors():
    """What the specification itself says must come out."""
    angles = torch.deg2rad(torch.tensor([0.0, 10.0, 90.0, 100.0, 200.0, 45.0], dtype=torch.float64))
    chosen, _ = max_min_rows(torch.stack([angles.cos(), angles.sin()], -1), 3)
    assert chosen.tolist() == [1, 3, 4], chosen
    counts = {n: [int(n * r) for r in (0.5, 0.25, 0.125)] for n in (576, 577, 2144)}
    assert counts == {576: [288, 144, 72], 577: [288, 144, 72], 2144: [1072, 536, 268]}
    assert [round(r * n) for r, n in ((0.098, 576), (0.098, 2340), (0.1, 1152))] == [56, 229, 115]
    assert top_rows(torch.tensor([1.0, 2.0, 1.0, 2.0, 1.0]), 3).tolist() == [0, 1, 3]


def check_against_transformers(model, processor):
    """With an empty plan the loop must be transformers' own forward pass."""
    inputs = to_inputs(processor, ask(questions()[0]["image"], text="What objects are in the image?"))
    ours, theirs = PrunedDecoder(model, {}).prefill(inputs), model(**inputs).logits[0, -1]
    assert (ours - theirs).abs().max() < 1e-4, (ours - theirs).abs().max()
    ids, _ = PrunedDecoder(model, {}).generate(inputs, 2)
    reference = model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS)[0, inputs["input_ids"].shape[1] :]
    assert ids == reference.tolist(), (ids, reference)


def main():
    model, processor = load_llava(MODEL), load_processor()
    check_golden_vectors()
    check_against_transformers(model, processor)
    golden = GoldenWriter(GOLDEN / "embedded", "pruning")
    records = [r for group in cases() for r in record_group(model, processor, *group, golden)]
    golden.write({"pictures": digests(records), "cases": records})
    for r in records:
        smallest = min((m for stage in r["margins"] for m in stage if m is not None), default=None)
        print(f"{r['name']:24} rows {r['rowsPerLayer']} margin {smallest} lead {r['lead']} {r['text']!r}")


if __name__ == "__main__":
    main()
