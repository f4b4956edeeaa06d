"""The network: fovea-mini/config.json, and two small heads that teach the tower in training and are not exported."""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import LlavaConfig, LlavaForConditionalGeneration

from classes import HERE, NAMES
from scenes import GRID, N_LABELS
from tokenizer import IMAGE

PUBLISHED = HERE.parent / "fovea-mini"
VISUAL_ROWS = GRID * GRID
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class Student(nn.Module):
    """The model to be exported as `llava`, beside the heads that say what each patch and the whole picture show."""

    def __init__(self, llava: LlavaForConditionalGeneration):
        super().__init__()
        width = llava.config.vision_config.hidden_size
        self.llava = llava
        self.patch_head = nn.Linear(width, N_LABELS)
        self.scene_head = nn.Linear(width, len(NAMES))

    def see(self, pixels: Tensor) -> Tensor:
        """(batch, SIZE, SIZE, 3) uint8 -> tower output (batch, 1 + VISUAL_ROWS, d_model), the CLS row first."""
        mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
        normalised = (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std
        return self.llava.model.vision_tower(normalised).last_hidden_state

    def read(self, seen: Tensor, ids: Tensor) -> Tensor:
        """Tower output and token ids (batch, n_rows) -> decoder output (batch, n_rows, d_model)."""
        rows = self.llava.model.language_model.embed_tokens(ids)
        visual = self.llava.model.multi_modal_projector(seen[:, 1:])
        rows = rows.masked_scatter((ids == IMAGE)[..., None].expand_as(rows), visual.to(rows.dtype))
        return self.llava.model.language_model(inputs_embeds=rows, use_cache=False).last_hidden_state


def load_student(vocab: int, folder: Path | None = None) -> Student:
    """A fresh network of the published shape, or a Hugging Face folder's (whose training heads start fresh)."""
    config = LlavaConfig.from_pretrained(folder or PUBLISHED)
    if folder is None:
        config.text_config.vocab_size = vocab
        return Student(LlavaForConditionalGeneration(config))
    if config.text_config.vocab_size != vocab:
        raise SystemExit(f"{folder} has {config.text_config.vocab_size} token ids, the tokenizer {vocab}")
    return Student(LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32))
