"""Training batches. Batch i depends on (seed, i, rank) only: the whole random state of a run is its step number."""

import random
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import Dataset

from facts import IGNORED, patch_facts
from questions import Question, ask
from scenes import GRID, TRAINED_STYLES, make_scene
from tokenizer import BOS, EOS, IMAGE

VISUAL_ROWS = GRID * GRID
QUESTION_ROWS = 252  # for all questions about one picture together
# How readily a question is taken; those not named here have 1.
WEIGHTS = {"exist": 2, "count": 4, "where": 2, "rel": 2, "what": 2, "size": 3, "tint": 3, "word": 2, "list": 1.5}
WEIGHTS |= {"total": 0.5, "color": 0.2, "caption": 0.8}
HARD = 2.5  # what a printed word, and a count above one, weigh in the loss; other answers 1


class Sequence(NamedTuple):
    """One picture's rows: the prompt's beginning, visual rows, then the questions, none of which sees another."""

    ids: list[int]
    labels: list[int]
    weights: list[float]  # of every label in the loss
    blocks: list[int]  # 0 for the picture and what precedes it, then 1, 2, … for the questions, -1 for padding
    positions: list[int]
    aims: list[tuple[int, list[int], list[int]]]  # row, parts of the first object, parts of the second


def is_hard(question: Question) -> bool:
    easy = {"count": ("0", "1"), "word": ("none",)}
    return question.kind in easy and question.answer not in easy[question.kind]


class Packer:
    """Turns questions into rows of a fixed number."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.before = [BOS, *self.encode("USER: ").ids]

    def encode(self, text: str):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def pack(self, questions: list[Question], places: list[int], picture_end: int, padded: bool = True) -> Sequence:
        """places: position, behind the prompt's beginning, of each visual row; picture_end: that of the first
        row behind the picture."""
        first = len(self.before)
        ids = self.before + [IMAGE] * len(places)
        out = Sequence(ids, [IGNORED] * len(ids), [0.0] * len(ids), [0] * len(ids), [], [])
        out.positions.extend([*range(first), *(first + place for place in places)])
        end = len(ids) + QUESTION_ROWS
        for number, question in enumerate(questions, 1):
            self.add(out, question, number, first + picture_end, end)
        if not padded:
            return out
        rest = end - len(ids)
        for column, filler in zip(out[:5], (0, IGNORED, 0.0, -1, 0)):
            column.extend([filler] * rest)
        return out

    def add(self, out: Sequence, question: Question, number: int, position: int, end: int) -> None:
        """Appends the question unless it is too long for what is left."""
        prompt, reply = self.encode(f"\n{question.text} ASSISTANT:").ids, self.encode(f" {question.answer}")
        answer = [*reply.ids, EOS]
        start = len(out.ids)
        size = len(prompt) + len(answer)
        if start + size > end:
            return
        out.ids.extend(prompt + answer)
        out.labels.extend([IGNORED] * len(prompt) + answer)
        weight = (HARD if is_hard(question) else 1.0) * len(answer) ** -0.5
        out.weights.extend([0.0] * len(prompt) + [weight] * len(answer))
        out.blocks.extend([number] * size)
        out.positions.extend(range(position, position + size))
        for look in question.looks:
            token = next(i for i, (_, stop) in enumerate(reply.offsets) if stop > look.at + 1)
            out.aims.append((start + len(prompt) + token - 1, look.first, look.second))


class Batches(Dataset):
    """A map from batch number to batch."""

    def __init__(self, packer: Packer, size: int, seed: int, warm_up: int, rank: int = 0):
        self.packer = packer
        self.size, self.seed, self.warm_up, self.rank = size, seed, warm_up, rank

    def kept(self, number: int) -> int:
        """How many visual rows enter the decoder: a quarter at first, later more now and then."""
        return VISUAL_ROWS // 4 if number < self.warm_up else (64, 128, 256, 256)[number % 4]

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rng = random.Random(f"train/{self.seed}/{number}/{self.rank}")
        kept, compact = self.kept(number), rng.random() < 0.4
        most = 3 if number < self.warm_up and rng.random() < 0.5 else 6
        samples = [self.sample(rng, kept, compact, most) for _ in range(self.size)]
        return collate(samples)

    def sample(self, rng: random.Random, kept: int, compact: bool, most: int = 6, times: int = 4) -> tuple:
        """One picture: pixels, facts, the visual rows kept, its parts, its Sequence and its questions."""
        crowded = rng.random() < 0.03
        practice = {"reading": 0.8, "english": 0.5, "repeating": 0.7}
        scene = make_scene(rng, TRAINED_STYLES, crowded, most=most, restyle=True, **practice)
        questions = ask(rng, scene, times)
        questions.sort(key=lambda question: rng.expovariate(WEIGHTS.get(question.kind, 1)))
        rows = sorted(rng.sample(range(VISUAL_ROWS), kept))
        places = list(range(kept)) if compact else rows
        sequence = self.packer.pack(questions, places, kept if compact else VISUAL_ROWS)
        parts, facts = patch_facts(scene)
        return np.array(scene.image, np.uint8), facts, rows, parts, sequence, questions


class Crowds(Dataset):
    """Batches for the tower alone: mostly crowded scenes with words of random letters, and what their patches show."""

    def __init__(self, size: int, seed: int, rank: int = 0):
        self.size, self.seed, self.rank = size, seed, rank

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rng = random.Random(f"crowds/{self.seed}/{number}/{self.rank}")
        scenes = [
            make_scene(rng, TRAINED_STYLES, rng.random() < 0.8, signs=rng.randint(0, 2), restyle=True)
            for _ in range(self.size)
        ]
        return {
            "pixels": torch.from_numpy(np.stack([np.array(scene.image, np.uint8) for scene in scenes])),
            "facts": torch.from_numpy(np.stack([patch_facts(scene)[1] for scene in scenes])),
        }


def collate(samples: list[tuple]) -> dict[str, Tensor]:
    pixels, facts, rows, parts, sequences, _ = zip(*samples)
    aims, first, second = [], [], []
    for i, sequence in enumerate(sequences):
        shown = parts[i][rows[i]]
        for row, first_parts, second_parts in sequence.aims:
            one, two = np.isin(shown, first_parts), np.isin(shown, second_parts)
            if one.any() and two.any():
                aims.append((i, row))
                first.append(one)
                second.append(two)
    return {
        "pixels": torch.from_numpy(np.stack(pixels)),
        "facts": torch.from_numpy(np.stack(facts)),
        "rows": torch.tensor(rows),
        **{name: torch.tensor([getattr(s, name) for s in sequences]) for name in Sequence._fields[:5]},
        "aims": torch.tensor(aims, dtype=torch.long).view(-1, 2),
        "first": torch.from_numpy(np.array(first, bool).reshape(-1, len(rows[0]))),
        "second": torch.from_numpy(np.array(second, bool).reshape(-1, len(rows[0]))),
    }
