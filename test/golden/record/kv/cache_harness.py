"""What the recorders of KV-cache methods share: a prefill that shows its attention, a cache that can be cut per layer and
per head, greedy decoding on what is left, the golden file.

A recorder subclasses KvReference and says in `choose` which rows stay. It shares no code with the engine; transformers
lends the modules: norms, projections, MLPs. Golden files are test/golden/kv/<name>.{json,bin}; ../../kv.test.ts reads
them.
"""

import json
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "methods"))

from harness import Reference  # noqa: E402
from common import GOLDEN, MODEL, load_llava, load_processor  # noqa: E402
from prompts import ask, digests, questions, spread, to_inputs  # noqa: E402
from pyramid_drop import CLEAR_LEAD, F32_NOISE, lowest_argmax, max_min_rows, rotate, top_rows  # noqa: E402, F401

NEW_TOKENS = 10
LONG_TEXT = (
    "A farmer has three dogs, two cats and a blue tractor. The dogs sleep in the barn, the cats on the roof. "
    "Every morning the farmer counts them. How many dogs are there?"
)


class KvReference(Reference):
    """Prefill, compaction, greedy decoding."""

    def __init__(self, model, share, noise_seed=None, before=None, **options):
        super().__init__(model, share, noise_seed, **options)
        self.before = before  # what drops rows on the way: None, "divPrune" or "pyramidDrop"
        self.decoded = []  # cached rows that stay, by place, per step, layer and head

    # What a method says.

    def choose(self):
        """Per layer, one ascending list of rows for all KV heads, or one for each. Reads self.probabilities."""
        raise NotImplementedError

    def after_step(self, layer, probabilities):
        """After a generated row entered the cache; probabilities (n_kv_heads, n_keys) are its own, mean over the query
        heads of each KV head. Returns rows as `choose` does for a layer, or None."""

    # Tools.

    def per_kv_head(self, probabilities):
        """(n_heads, …) to (n_kv_heads, …), the mean over heads that share one."""
        return probabilities.unflatten(0, (self.n_kv_heads, -1)).mean(1)

    def drop(self, rows, chosen):
        stays = rows.image < 0
        for rows_of_image in chosen:
            stays[rows_of_image] = True
        self.origin = self.origin[stays]
        super().drop(rows, chosen)

    def distance_noise(self, n):
        if self.generator is None:
            return 0.0
        return F32_NOISE * torch.randn(n, n, generator=self.generator, dtype=torch.float64)

    # The pass.

    def projected(self, rows):
        self.origin = torch.arange(len(rows.hidden))
        if self.before == "divPrune":
            spans = [rows.of_image(image) for image in range(rows.n_images)]
            chosen = [max_min_rows(rows.hidden[s], round(len(s) * 0.25), self.distance_noise(len(s)))[0] for s in spans]
            self.drop(rows, [s[kept] for s, kept in zip(spans, chosen)])

    def before_layer(self, index, layer, rows):
        if self.before == "pyramidDrop" and index in (2, 4) and rows.n_images:
            last = torch.tensor([len(rows.hidden) - 1])
            attention = self.jitter(self.attention(layer, rows, last)[:, 0].mean(0))
            keep = [int(n * 0.5 ** (index // 2)) for n in rows.entered_decoder]
            spans = [rows.of_image(image) for image in range(rows.n_images)]
            self.drop(rows, [s[top_rows(attention[s], k)] for s, k in zip(spans, keep)])

    def heads(self, x, module):
        return x.view(len(x), -1, module.head_dim).transpose(0, 1)

    def attend(self, index, layer, hidden, positions):
        """Appends hidden (n, d_model) to the layer's cache; returns what leaves the layer, and the probabilities
        (n_heads, n, n_keys)."""
        module, n = layer.self_attn, len(hidden)
        normed = layer.input_layernorm(hidden)
        q, k, v = (self.heads(p(normed), module) for p in (module.q_proj, module.k_proj, module.v_proj))
        q, k = (rotate(x[None], *self.rotation(positions))[0] for x in (q, k))
        if len(self.keys) == index:
            self.keys.append(k)
            self.values.append(v)
        else:
            self.keys[index] = torch.cat([self.keys[index], k], 1)
            self.values[index] = torch.cat([self.values[index], v], 1)
        self.n_kv_heads = len(k)
        keys, values = (x[index].repeat_interleave(module.num_key_value_groups, dim=0) for x in (self.keys, self.values))
        scores = q @ keys.transpose(1, 2) * module.head_dim**-0.5
        n_keys = keys.shape[1]
        seen = torch.arange(n_keys)[None] <= torch.arange(n_keys - n, n_keys)[:, None]
        probabilities = torch.softmax(scores.masked_fill(~seen, -torch.inf), dim=-1)
        attended = (probabilities @ values).transpose(0, 1).reshape(n, -1)
        hidden = hidden + module.o_proj(attended)
        return hidden + layer.mlp(layer.post_attention_layernorm(hidden)), self.jitter(probabilities)

    def compact(self, index, rows):
        """rows: one list for all heads, or one per head."""
        per_head = list(rows) * (1 if len(rows) > 1 else self.n_kv_heads)
        for cache in (self.keys, self.values):
            cache[index] = torch.stack([head[kept] for head, kept in zip(cache[index], per_head)])

    def run(self, inputs):
        rows = self.start(inputs)
        self.projected(rows)
        rows.entered_decoder = [len(rows.of_image(image)) for image in range(rows.n_images)]
        self.keys, self.values, self.probabilities, self.text_after, origins = [], [], [], [], []
        next_position = []
        for index, layer in enumerate(self.lm.layers):
            self.before_layer(index, layer, rows)
            rows.hidden, probabilities = self.attend(index, layer, rows.hidden, rows.positions)
            self.probabilities.append(probabilities)
            origins.append(self.origin)
            next_position.append(len(rows.positions))
            visual = (rows.image >= 0).nonzero()[:, 0]
            behind = int(visual[-1]) + 1 if len(visual) else 0
            self.text_after.append(torch.arange(behind, len(rows.positions)))
        self.seen = [k.shape[1] for k in self.keys]
        self.chosen = [[torch.as_tensor(head) for head in heads] for heads in self.choose()]
        self.kept = [[origins[i][head].tolist() for head in heads] for i, heads in enumerate(self.chosen)]
        for index, heads in enumerate(self.chosen):
            self.compact(index, heads)
        self.kv_rows = [k.shape[1] for k in self.keys]
        return self.decode(rows.hidden[-1], next_position)

    def decode(self, hidden, next_position):
        """Ids of the greedy reply, up to the end token or to the first that is not clear. The last one that counts is
        not fed again, unless the end token follows."""
        ids, end = [], self.model.generation_config.eos_token_id
        logits = self.head(self.lm.norm(hidden))
        self.ended = False
        while True:
            best = torch.topk(logits, 2).values
            token = lowest_argmax(logits)
            clear = float(best[0] - best[1]) >= CLEAR_LEAD
            self.ended = clear and token in (end if isinstance(end, list) else [end])
            if self.ended or not clear or len(ids) == NEW_TOKENS:
                break
            self.kv_rows_at_end = [k.shape[1] for k in self.keys]
            ids.append(token)
            hidden = self.lm.embed_tokens(torch.tensor([token]))
            for index, layer in enumerate(self.lm.layers):
                position = torch.tensor([next_position[index] + len(ids) - 1])
                hidden, probabilities = self.attend(index, layer, hidden, position)
                self.seen[index] += 1
                stays = self.after_step(index, self.per_kv_head(probabilities[:, 0]))
                if stays is not None:
                    self.compact(index, stays)
                    self.decoded.append([head.tolist() for head in stays])
            logits = self.head(self.lm.norm(hidden[-1]))
        if self.ended:
            self.kv_rows_at_end = [k.shape[1] for k in self.keys]
        return ids


def best_rows(scores, keep, first=0, last=0):
    """The first and last rows and the best of the others, `keep` in all, ascending."""
    n = len(scores)
    keep = min(keep, n)
    last = min(last, keep)
    first = min(first, keep - last)
    between = first + top_rows(scores[first : n - last], keep - first - last)
    return torch.cat([torch.arange(first), between, torch.arange(n - last, n)])


def prompts():
    pictures = sorted({q["image"] for q in questions()})
    singles = [ask(q["image"], text=q["question"]) for q in spread(3)]
    return [
        ("single", singles, 2),
        ("pair", [ask(a, b, text="How many objects are there?") for a, b in zip(pictures, pictures[3:])], 1),
        ("text", [ask(text=LONG_TEXT.replace("dogs", animal)) for animal in ("dogs", "cats", "cows", "ducks", "birds", "fish")], 1),
    ]


def record(name, reference, plan, cases):
    """cases: (share, options of the reference, kinds of prompts). plan(share, options): what Fovea is asked.

    A prompt whose selection changes under noise of the size of rounding, or whose reply does, is passed over.
    """
    model, processor = load_llava(MODEL), load_processor()
    recorded = []
    for share, options, kinds in cases:
        for kind, candidates, count in prompts():
            if kind not in kinds:
                continue
            found = 0
            for messages in candidates:
                inputs = to_inputs(processor, messages)
                run = reference(model, share, **options)
                ids = run.run(inputs)
                if len(ids) < 2 or any(_changes(reference(model, share, noise_seed=s, **options), run, ids, inputs) for s in range(4)):
                    continue
                label = " ".join([kind, str(found), f"at {share}", *(f"{k} {v}" for k, v in options.items())])
                recorded.append({"name": label, "plan": plan(share, options), "messages": messages, "kept": run.kept,
                                 "kvRows": run.kv_rows, "ids": ids, "ended": run.ended,
                                 "kvRowsAtEnd": run.kv_rows_at_end})  # fmt: skip
                found += 1
                if found == count:
                    break
            assert found == count, f"{name}: {kind} at {share} {options}: {found} of {count}"
            print(name, kind, share, options, flush=True)
    out = GOLDEN / "kv" / f"{name}.json"
    out.write_text(json.dumps({"pictures": digests(recorded), "cases": recorded}) + "\n")


def _changes(noisy, run, ids, inputs):
    return noisy.run(inputs) != ids or noisy.ended != run.ended or noisy.kept != run.kept or noisy.decoded != run.decoded
