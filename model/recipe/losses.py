"""What training minimises: the answers, and three things that teach how to find them."""

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from classes import LETTERS, NAMES
from facts import FACTS, IGNORED
from network import Student

WEIGHTS = {"answers": 1.0, "facts": 0.25, "names": 0.15, "aims": 0.3}
SHARPNESS = 12  # of the cosine between a visual row and the words


class Teacher:
    """Computes the losses of a batch."""

    def __init__(self, tokenizer: Tokenizer, first: int, device: str = "cpu"):
        def token(text: str) -> int:
            return tokenizer.encode(text, add_special_tokens=False).ids[-1]

        self.first = first  # row of a sequence where the picture begins
        words = [token(f" {name}") for name in NAMES] + [token(letter) for letter in LETTERS]
        self.words = torch.tensor(words, device=device)

    def losses(self, student: Student, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """Losses by name, and for every learned token whether the model would have said it; of a batch without
        questions, for every patch of an object or letter whether it is named."""
        seen = student.see(batch["pixels"])
        if "ids" not in batch:
            told, labels = student.facts_head(seen), batch["facts"][..., 0]
            loss = facts_loss(told, batch["facts"])
            named = told[..., : FACTS["label"]].argmax(-1) == labels
            return {"facts": loss, "total": loss}, named[labels > 0]
        visual = student.project(seen, batch["rows"])
        decoded = student.read(visual, batch, self.first)
        learned = batch["labels"][:, 1:] != IGNORED
        logits, wanted = student.llava.lm_head(decoded[:, :-1][learned]), batch["labels"][:, 1:][learned]
        weights = batch["weights"][:, 1:][learned]
        out = {
            "answers": (F.cross_entropy(logits, wanted, reduction="none") * weights).sum() / weights.sum(),
            "facts": facts_loss(student.facts_head(seen), batch["facts"]),
            "names": self.names_loss(student, visual, batch),
            "aims": aims_loss(student.aim_scores(batch["aims"], self.first, visual.shape[1]), batch),
        }
        out["total"] = sum(WEIGHTS[name] * loss for name, loss in out.items())
        return out, logits.argmax(-1) == wanted

    def names_loss(self, student: Student, visual: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """A visual row should resemble the word for what it shows more than the other words."""
        labels = batch["facts"][..., 0].gather(1, batch["rows"]) - 1
        shown = labels >= 0
        words = F.normalize(student.llava.model.language_model.embed_tokens.weight[self.words], dim=-1)
        return F.cross_entropy(SHARPNESS * F.normalize(visual[shown], dim=-1) @ words.T, labels[shown])


def facts_loss(logits: Tensor, facts: Tensor) -> Tensor:
    parts = logits.flatten(0, 1).split(list(FACTS.values()), -1)
    losses = [F.cross_entropy(part, facts[..., i].flatten(), ignore_index=IGNORED) for i, part in enumerate(parts)]
    return losses[0] + 0.5 * sum(losses[1:])


def aims_loss(scores: list[Tensor], batch: dict[str, Tensor]) -> Tensor:
    """How little attention, of what two heads give to the picture, falls on the objects asked about."""
    right = torch.stack([batch["first"], batch["second"]], 1)
    out = [torch.logsumexp(s, -1) - torch.logsumexp(s.masked_fill(~right, -torch.inf), -1) for s in scores]
    all_heads = torch.stack(out)
    return all_heads.sum() / max(1, all_heads.numel())  # few pictures may have none
