"""What the recorders of pruning methods share: prompts, what the tower saw, a plain decoder loop, the golden file.

A recorder subclasses Reference, overrides the hooks where its method acts, and calls record(). It is written from the
method's formulas and shares no code with the engine; what it takes from transformers are the modules: norms,
projections, attention. Golden files are test/golden/methods/<name>.{json,bin}; ../../methods.test.ts reads them.
"""

import pathlib
import sys

import torch
from transformers import DynamicCache

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from common import GOLDEN, GoldenWriter, MODEL, load_llava, load_processor  # noqa: E402
from prompts import ask, digests, picture_paths, questions, spread, to_inputs  # noqa: E402
from pyramid_drop import Rows, rotate, top_rows  # noqa: E402, F401

SHARES = (0.5, 0.25, 0.125)
LONG = (
    "There are some things here. A picture may show an object, a place or a word. Objects have colours: red, green, blue, "
    "yellow. Some stand at the left and some at the right, at the top or at the bottom. Answer with few words."
)
NOISE = 2e-6  # relative; more than f32 rounding makes of projected rows, attention and keys


class Tower:
    """What the vision tower computed for the pictures of a prompt; n counts patches, the class row stands first."""

    def __init__(self, model, pixels, jitter):
        tower = model.model.vision_tower
        tower = getattr(tower, "vision_model", tower)
        seen = []
        hooks = [
            block.self_attn.register_forward_pre_hook(lambda m, a, k: seen.append(k.get("hidden_states", a[0] if a else None)), with_kwargs=True)
            for block in tower.encoder.layers
        ]  # fmt: skip
        output = tower(pixels, output_hidden_states=True)
        for hook in hooks:
            hook.remove()
        layer = model.config.vision_feature_layer
        self.n_layers = layer + len(output.hidden_states) if layer < 0 else layer  # that run
        self.hidden = output.hidden_states  # [n_layers + 1] (n_images, 1 + n, d): inputs of the blocks, then the output
        self.features = jitter(output.hidden_states[layer][:, 1:])  # (n_images, n, d) what the projector gets
        self.queries, self.keys, self.attention = [], [], []  # per layer
        for block, x in list(zip(tower.encoder.layers, seen))[: self.n_layers]:
            heads = lambda y: y.unflatten(-1, (-1, block.self_attn.head_dim)).transpose(1, 2)  # noqa: E731, B023
            q, k = heads(block.self_attn.q_proj(x)), heads(block.self_attn.k_proj(x))
            self.queries.append(q)  # (n_images, n_heads, 1 + n, d_head)
            self.keys.append(jitter(k))  # the same
            scores = q @ k.transpose(-1, -2) * block.self_attn.scale
            self.attention.append(jitter(torch.softmax(scores, dim=-1)))  # (n_images, n_heads, 1 + n, 1 + n)

    def class_attention(self, layer=-1):
        """What the class row attends to, mean over heads: (n_images, n)."""
        return self.attention[layer][:, :, 0, 1:].mean(1)

    def column_attention(self, layer=-1):
        """What all rows attend to, mean over rows and heads: (n_images, n)."""
        return self.attention[layer].mean(2).mean(1)[:, 1:]


class Reference:
    """One prefill under a method, by the book. Override encode, projected or before_layer."""

    positions = "compact"
    noise = NOISE
    noise_seeds = 3  # how often it is tried

    def __init__(self, model, share, noise_seed=None, **options):
        self.model, self.lm, self.head, self.config = model, model.model.language_model, model.lm_head, model.config
        self.share, self.options = share, options
        self.generator = None if noise_seed is None else torch.Generator().manual_seed(noise_seed)
        self.stages = []  # kept raster rows per stage and image

    def jitter(self, x):
        """x, or x with noise of the size of rounding: a selection that it changes is not recorded."""
        if self.generator is None:
            return x
        return x * (1 + self.noise * torch.randn(x.shape, generator=self.generator))

    # Hooks of methods.

    def encode(self, pixels):
        """Per image: raster rows that the tower leaves, ascending, and those rows projected (kept, d_model)."""
        self.tower = Tower(self.model, pixels, self.jitter)
        projected = self.jitter(self.model.model.multi_modal_projector(self.tower.features))
        return [(torch.arange(p.shape[0]), p) for p in projected]

    def projected(self, rows):
        """Before decoder layer 0; call self.drop."""

    def before_layer(self, index, layer, rows):
        """As rows are about to enter a decoder layer; call self.drop."""

    # Tools for them.

    def drop(self, rows, chosen):
        """chosen: per image, rows of rows.hidden to keep (ascending). Reports a stage."""
        rows.keep(chosen, self.positions)
        self.stages.append(rows.kept())

    def text(self, rows):
        """Indices of the rows of text."""
        return (rows.image < 0).nonzero()[:, 0]

    def rotation(self, positions):
        return self.lm.rotary_emb(self.lm.embed_tokens.weight, position_ids=positions[None])

    def attention(self, layer, rows, queries, keys=None, rope=True):
        """Softmax attention of some rows over some rows with the layer's own norm and projections, causal:
        (n_heads, n_queries, n_keys)."""
        module = layer.self_attn
        keys = torch.arange(len(rows.hidden)) if keys is None else keys
        normed = layer.input_layernorm(rows.hidden)
        heads = lambda x: x.view(len(x), -1, module.head_dim).transpose(0, 1)[None]  # noqa: E731
        q, k = heads(module.q_proj(normed)), heads(module.k_proj(normed))
        if rope:
            q, k = (rotate(x, *self.rotation(rows.positions)) for x in (q, k))
        k = k.repeat_interleave(module.num_key_value_groups, dim=1)
        scores = q[0, :, queries] @ k[0][:, keys].transpose(1, 2) * module.head_dim**-0.5
        scores = scores.masked_fill(keys[None, None] > queries[None, :, None], -torch.inf)
        return torch.softmax(scores.float(), dim=-1)

    # The pass itself.

    def start(self, inputs):
        ids = inputs["input_ids"][0]
        n_images = len(inputs["pixel_values"]) if "pixel_values" in inputs else 0
        visual = ids == self.config.image_token_id
        per_image = int(visual.sum()) // n_images if n_images else 1
        rows = Rows(self.lm.embed_tokens(ids), ids, self.config.image_token_id, per_image)
        if n_images:
            encoded = self.encode(inputs["pixel_values"])
            stays = ~visual
            for image, (kept, projected) in enumerate(encoded):
                span = rows.of_image(image)[kept]
                rows.hidden[span] = projected
                stays[span] = True
            if not bool(stays.all()):
                left = stays.nonzero()[:, 0]
                rows.hidden, rows.image, rows.raster = rows.hidden[left], rows.image[left], rows.raster[left]
                rows.positions = left if self.positions == "original" else torch.arange(len(left))
        return rows

    def run(self, inputs):
        """Logits of the prompt's last row (vocab)."""
        rows = self.start(inputs)
        self.projected(rows)
        rows.entered_decoder = [len(rows.of_image(image)) for image in range(rows.n_images)]
        self.cache, self.rows_per_layer = DynamicCache(), []
        for index, layer in enumerate(self.lm.layers):
            self.before_layer(index, layer, rows)
            rows.hidden = self.run_layer(index, layer, rows)
            self.rows_per_layer.append(len(rows.positions))
        return self.head(self.lm.norm(rows.hidden[-1]))

    def run_layer(self, index, layer, rows):
        n = len(rows.positions)
        mask = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]
        attended, _ = layer.self_attn(
            hidden_states=layer.input_layernorm(rows.hidden[None]), position_embeddings=self.rotation(rows.positions),
            attention_mask=mask, past_key_values=self.cache,
        )  # fmt: skip
        hidden = rows.hidden + attended[0]
        return hidden + layer.mlp(layer.post_attention_layernorm(hidden))


def prompts(kinds=("single", "pair", "text")):
    """(name, candidate prompts, how many of them) for each kind of prompt; twin shows one picture twice."""
    pictures = sorted({q["image"] for q in questions()})
    table = {
        "single": ([ask(q["image"], text=q["question"]) for q in spread(2)], 2),
        "pair": ([ask(a, b, text="How many objects are there?") for a, b in zip(pictures, pictures[3:])], 1),
        "twin": ([ask(p, p, text="What objects are in the image?") for p in pictures], 1),
        "long": ([ask(p, text=f"{LONG} {spread(1)[i]['question']}") for i, p in enumerate(pictures[:6])], 2),
        "text": ([ask(text="How many dogs are there?")], 1),
    }
    return [(kind, *table[kind]) for kind in kinds]


def record(name, reference, plan, shares=SHARES, kinds=("single", "pair", "twin", "text"), ask_about=prompts, **options):
    """Records a method at some shares of the rows.

    reference: a subclass of Reference. plan(share): the plan that asks Fovea for the same. ask_about(kinds): as prompts.
    Prompts whose selection changes under noise of the size of rounding are passed over.
    """
    model, processor = load_llava(MODEL), load_processor()
    golden, cases = GoldenWriter(GOLDEN / "methods", name), []
    for share in shares:
        for kind, candidates, count in ask_about(kinds):
            if kind == "text" and share != shares[0]:
                continue  # nothing to keep a share of
            found = ties = 0
            for messages in candidates:
                if found == count:
                    break
                inputs = to_inputs(processor, messages)
                run = reference(model, share, **options)
                logits = run.run(inputs)
                kept = _kept(run)
                noisy = (reference(model, share, noise_seed=seed, **options) for seed in range(reference.noise_seeds))
                if not all(_same(run_again, inputs, kept) for run_again in noisy):
                    ties += 1
                    continue
                case = f"{kind} {found} at {share}"
                golden.add(case, logits)
                images = len(picture_paths(messages))
                cases.append({"name": case, "share": share, "plan": plan(share), "messages": messages, "images": images,
                              **kept, "rowsPerLayer": run.rows_per_layer})  # fmt: skip
                found += 1
            assert found == count, f"{name}: {kind} prompts at {share}: {found} of {count}, {ties} near-ties"
    golden.write({"pictures": digests(cases), "cases": cases})


def _same(run, inputs, kept):
    run.run(inputs)
    return _kept(run) == kept


def _kept(run):
    """Rows that stay, per stage: raster rows of each image and, of stages over text, rows of the prompt."""
    kept = {"kept": [[image.tolist() for image in stage] for stage in run.stages]}
    return {**kept, "keptText": run.text_stages} if hasattr(run, "text_stages") else kept
