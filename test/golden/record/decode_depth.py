"""Early exits and drafts once more, written from their specification on top of transformers' modules.

One sequence, one token at a time: what is checked at once in the engine is computed row by row here.
"""

import itertools

import torch

from common import GOLDEN, GoldenWriter, MODEL, load_llava, load_processor
from prompts import ask, digests, finish, spread, to_inputs
from pyramid_drop import NEW_TOKENS, PYRAMID, PrunedDecoder, lowest_argmax

CLEAR_LEAD = 2e-3  # of a token over the next one
CLEAR_SHARE = 1e-3  # of a probability from the threshold it is compared with


class ExitingDecoder(PrunedDecoder):
    """Stops a token at the first candidate layer where the probability of having stopped exceeds q."""

    def __init__(self, model, plan):
        super().__init__(model, plan)
        self.layers, self.q = plan["exit"]["layers"], plan["exit"]["q"]
        self.tokens = [0] * len(self.lm.layers)
        self.clear = True

    def decode(self, token, step):
        hidden = self.lm.embed_tokens(torch.tensor([[token]]))
        cumulative, staying = 0.0, 1.0
        for index in range(len(self.lm.layers)):
            position = torch.tensor([self.next_position[index] + step])
            hidden = self.run_layer(index, hidden, position, None)
            if index not in self.layers:
                continue
            logits = self.head(self.lm.norm(hidden[0, -1]))
            sure = float(torch.softmax(logits.double(), -1).max())
            cumulative += sure * staying
            staying *= 1 - sure
            self.clear = self.clear and abs(cumulative - self.q) > CLEAR_SHARE
            if cumulative > self.q:
                self.tokens[index] += 1
                for above in range(index + 1, len(self.lm.layers)):
                    self.remember(above, hidden, torch.tensor([self.next_position[above] + step]))
                return logits
        self.tokens[-1] += 1
        return self.head(self.lm.norm(hidden[0, -1]))

    def remember(self, index, hidden, position):
        """Keys and values of a layer that does not run, from the stream that left below it."""
        attention, rotation = self.lm.layers[index].self_attn, self.rotation(position)
        normed = self.lm.layers[index].input_layernorm(hidden)
        heads = lambda x: x.view(1, 1, -1, attention.head_dim).transpose(1, 2)  # noqa: E731
        cos, sin = (t[:, None] for t in rotation)
        k, v = heads(attention.k_proj(normed)), heads(attention.v_proj(normed))
        first, second = k.chunk(2, dim=-1)
        self.cache.update(k * cos + torch.cat([-second, first], dim=-1) * sin, v, index)


class DraftingDecoder(PrunedDecoder):
    """Draft & Verify: guesses without some sub-layers, each checked by the whole decoder."""

    def __init__(self, model, plan):
        super().__init__(model, plan)
        draft = plan["draft"]
        self.max, self.stop, self.adapt = draft["max"], draft["stopProbability"], draft["adapt"]
        self.without = {(s["part"], layer) for s in draft["skipLayers"] for layer in s["layers"]}
        self.match, self.verify_steps, self.drafted, self.accepted = 0.0, 0, 0, 0
        self.clear = True

    def guess(self, token, step):
        """Logits of a draft after one more token."""
        hidden = self.lm.embed_tokens(torch.tensor([[token]]))
        for index, layer in enumerate(self.lm.layers):
            position = torch.tensor([self.next_position[index] + step])
            if ("attention", index) not in self.without:
                attended, _ = layer.self_attn(
                    hidden_states=layer.input_layernorm(hidden), position_embeddings=self.rotation(position),
                    attention_mask=None, past_key_values=self.cache,
                )  # fmt: skip
                hidden = hidden + attended
            if ("ffn", index) not in self.without:
                hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return self.head(self.lm.norm(hidden[0, -1]))

    def lengths(self):
        return [layer.keys.shape[-2] for layer in self.cache.layers]

    def restore(self, lengths):
        for layer, n in zip(self.cache.layers, lengths):
            layer.keys, layer.values = layer.keys[..., :n, :], layer.values[..., :n, :]

    def draft(self, token, step, limit, end):
        """Tokens guessed after `token`, which is the step-th."""
        before, guesses = self.lengths(), []
        while len(guesses) < limit:
            logits = self.guess(guesses[-1] if guesses else token, step + len(guesses))
            guesses.append(self.clear_argmax(logits))
            sure = float(torch.softmax(logits.double(), -1).max())
            self.clear = self.clear and abs(sure - self.stop) > CLEAR_SHARE
            if guesses[-1] == end or sure < self.stop:
                break
        self.restore(before)
        return guesses

    def clear_argmax(self, logits):
        top = logits.topk(2).values
        self.clear = self.clear and float(top[0] - top[1]) > CLEAR_LEAD
        return lowest_argmax(logits)

    def generate(self, inputs, end):
        logits = [self.prefill(inputs)]
        ids = [lowest_argmax(logits[0])]
        while ids[-1] != end and len(ids) < NEW_TOKENS:
            guesses = self.draft(ids[-1], len(ids) - 1, min(self.max, NEW_TOKENS - len(ids) - 1), end)
            right = 0
            while True:
                logits.append(self.decode(ids[-1], len(ids) - 1))
                ids.append(lowest_argmax(logits[-1]))
                agrees = right < len(guesses) and ids[-1] == guesses[right]
                right += agrees
                if not agrees or ids[-1] == end or len(ids) == NEW_TOKENS:
                    break
            self.verify_steps += 1
            self.drafted += len(guesses)
            self.accepted += right
            if self.adapt and guesses:
                self.follow(len(guesses), right)
        return ids, logits

    def follow(self, drafted, accepted):
        self.match = 0.5 * self.match + 0.5 * accepted / drafted
        step = 0.01 if self.match < 0.9 else 0.0 if drafted == self.max else -0.01
        self.stop = 0.9 * self.stop + 0.1 * (self.stop + step)


SKIPS = {
    "attention 4-6": [{"part": "attention", "layers": [4, 5, 6]}],
    "ffn 5": [{"part": "ffn", "layers": [5]}],
    "blocks 4 and 6": [{"part": "attention", "layers": [4, 6]}, {"part": "ffn", "layers": [4, 6]}],
}


def cases():
    """(name, plan, class)"""
    for name, layers, q in [
        ("exit anywhere", list(range(7)), 0.5),
        ("exit late", [4, 5, 6], 0.8),
        ("exit at 5 always", [5], 0.0),
        ("exit at 6 or not", [6], 0.9),
    ]:
        yield name, {"exit": {"layers": layers, "q": q}}, ExitingDecoder
    pruned = {"stages": [PYRAMID]}
    yield "exit pruned", {**pruned, "exit": {"layers": [3, 4, 5, 6], "q": 0.7}}, ExitingDecoder
    for name, skips in SKIPS.items():
        for max, stop, adapt in [(4, 0.3, False), (8, 0.8, True)]:
            draft = {"skipLayers": skips, "max": max, "stopProbability": stop, "adapt": adapt}
            yield f"draft {name}, {max}", {"draft": draft}, DraftingDecoder
    draft = {"skipLayers": SKIPS["attention 4-6"], "max": 4, "stopProbability": 0.5, "adapt": True}
    yield "draft pruned", {**pruned, "draft": draft}, DraftingDecoder


def record(model, processor, name, plan, decoder_class, messages):
    """The case, or None when a token or a threshold in it hangs on the order of floating-point additions."""
    decoder = decoder_class(model, plan)
    ids, logits = decoder.generate(to_inputs(processor, messages), processor.tokenizer.eos_token_id)
    answer = finish(processor, ids, logits)
    if answer["lead"] < CLEAR_LEAD or not decoder.clear or len(ids) < 4:
        return None
    case = {"name": name, "plan": plan, "messages": messages, **answer}
    if isinstance(decoder, ExitingDecoder):
        return {**case, "exitTokens": decoder.tokens}
    return {**case, "verifySteps": decoder.verify_steps, "drafted": decoder.drafted, "accepted": decoder.accepted}


def main():
    model, processor = load_llava(MODEL), load_processor()
    prompts = [ask(q["image"], text=q["question"]) for q in spread(12) if q["kind"] in ("list", "word", "where")]
    records = []
    for name, plan, decoder_class in cases():
        tried = (record(model, processor, f"{name} {i}", plan, decoder_class, m) for i, m in enumerate(prompts))
        found = list(itertools.islice((case for case in tried if case), 3))
        assert len(found) == 3, (name, len(found))
        records += found
    GoldenWriter(GOLDEN / "embedded", "decode-depth").write({"pictures": digests(records), "cases": records})
    for r in records:
        print(r["name"], r.get("exitTokens") or (r["verifySteps"], r["drafted"], r["accepted"]), repr(r["text"]))


if __name__ == "__main__":
    main()
