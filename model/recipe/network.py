"""The network: fovea-mini/config.json, and what teaches it in training and is not exported."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlavaConfig, LlavaForConditionalGeneration
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from classes import HERE
from facts import FACTS
from lean import QuickGelu

PUBLISHED = HERE.parent / "fovea-mini"
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
ATTENTION = "lean"
UNSEEN = -1e9  # an attention logit of what a row does not see
AIMING_LAYERS = (3, 4, 5)  # decoder layers two of whose heads are shown where to look


class Student(nn.Module):
    """The model to be exported as `llava`, beside the head that tells the facts of every patch."""

    def __init__(self, llava: LlavaForConditionalGeneration):
        super().__init__()
        self.llava = llava
        width = llava.config.vision_config.hidden_size
        # The norm, because the tower's last layer has none of its own and some of its values are large.
        norm, head = nn.LayerNorm(width, elementwise_affine=False), nn.Linear(width, sum(FACTS.values()))
        self.facts_head = nn.Sequential(norm, head)
        for layer in llava.model.vision_tower.encoder.layers:
            layer.mlp.activation_fn = QuickGelu()
        self.attended: list[tuple[Tensor, tuple[Tensor, Tensor]]] = []
        for i in AIMING_LAYERS:
            attention = llava.model.language_model.layers[i].self_attn
            attention.register_forward_pre_hook(self.remember, with_kwargs=True)

    def remember(self, _module: nn.Module, _args: tuple, kwargs: dict) -> None:
        self.attended.append((kwargs["hidden_states"], kwargs["position_embeddings"]))

    def see(self, pixels: Tensor) -> Tensor:
        """(batch, SIZE, SIZE, 3) uint8 -> tower output (batch, VISUAL_ROWS, d_model), without the CLS row."""
        mean, std = (torch.tensor(x, device=pixels.device).view(1, 3, 1, 1) for x in (MEAN, STD))
        normalised = (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std
        return self.llava.model.vision_tower(normalised).last_hidden_state[:, 1:]

    def project(self, seen: Tensor, rows: Tensor) -> Tensor:
        """The visual rows (batch, kept, d_model) that enter the decoder."""
        kept = seen.gather(1, rows[..., None].expand(-1, -1, seen.shape[-1]))
        return self.llava.model.multi_modal_projector(kept)

    def read(self, visual: Tensor, batch: dict[str, Tensor], first: int) -> Tensor:
        """Decoder output (batch, n_rows, d_model); the visual rows begin at row `first`."""
        decoder = self.llava.model.language_model
        words = decoder.embed_tokens(batch["ids"])
        rows = torch.cat([words[:, :first], visual, words[:, first + visual.shape[1] :]], 1)
        self.attended.clear()
        return decoder(
            inputs_embeds=rows,
            attention_mask=block_mask(batch["blocks"]),
            position_ids=batch["positions"],
            use_cache=False,
        ).last_hidden_state

    def aim_scores(self, aims: Tensor, first: int, kept: int) -> list[Tensor]:
        """Per aiming layer: attention logits (aims, 2 heads, kept) of the rows `aims` on the visual rows."""
        out = []
        layers = self.llava.model.language_model.layers
        for i, (hidden, (cos, sin)) in zip(AIMING_LAYERS, self.attended):
            attention = layers[i].self_attn
            picture, row = aims.T
            d_head = attention.head_dim
            query = F.linear(hidden[picture, row], attention.q_proj.weight[: 2 * d_head]).view(-1, 2, 1, d_head)
            # Both heads read the first KV head.
            key = F.linear(hidden[:, first : first + kept], attention.k_proj.weight[:d_head])[:, None]
            query, _ = apply_rotary_pos_emb(query, query, cos[picture, row][:, None], sin[picture, row][:, None])
            key, _ = apply_rotary_pos_emb(key, key, cos[:, first : first + kept], sin[:, first : first + kept])
            out.append((query * key[picture]).sum(-1) * attention.scaling)
        return out


def block_mask(blocks: Tensor) -> Tensor:
    """(batch, n_rows) -> (batch, 1, n_rows, n_rows): what is added to attention logits. Causal, and a question sees
    itself and block 0 only."""
    n_rows = blocks.shape[1]
    row = torch.arange(n_rows, device=blocks.device)
    seen = (row[:, None] >= row) & ((blocks[:, None] == blocks[..., None]) | (blocks[:, None] == 0))
    return torch.zeros(seen.shape, device=blocks.device).masked_fill(~seen, UNSEEN)[:, None]


def load_student(vocab: int, folder: Path | None = None) -> Student:
    """A fresh network of the published shape, or a Hugging Face folder's (whose training head starts fresh)."""
    config = LlavaConfig.from_pretrained(folder or PUBLISHED)
    how = {"dtype": torch.float32, "attn_implementation": ATTENTION}
    if folder is None:
        config.text_config.vocab_size = vocab
        return Student(LlavaForConditionalGeneration._from_config(config, **how))
    if config.text_config.vocab_size != vocab:
        raise SystemExit(f"{folder} has {config.text_config.vocab_size} token ids, the tokenizer {vocab}")
    return Student(LlavaForConditionalGeneration.from_pretrained(folder, **how))
