"""Training batches. Batch i depends on (phase, seed, i) only: the whole random state of a run is its step number."""

import json
import random
from argparse import Namespace
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import Dataset

from classes import INDEX, NAMES
from network import VISUAL_ROWS
from questions import Question, ask
from scenes import SIZE, make_scene, patch_labels
from tokenizer import BOS, EOS, IMAGE

IGNORED = -100  # a label that cross_entropy leaves out
QUESTIONS = 8  # on one picture, in one conversation


class EasyVqa:
    """Pictures of the easy-VQA training split: a folder with questions.json and images/."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.questions = defaultdict(list)
        for text, answer, image in json.loads((folder / "questions.json").read_text()):
            self.questions[image].append(Question("easy-vqa", text[0].upper() + text[1:], answer))
        self.images = list(self.questions)

    def draw(self, rng: random.Random) -> tuple[Image.Image, list[Question]]:
        number = rng.choice(self.images)
        image = Image.open(self.folder / "images" / f"{number}.png").convert("RGB")
        questions = self.questions[number]
        image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        return image, rng.sample(questions, min(QUESTIONS, len(questions)))


def conversation(tokenizer: Tokenizer, questions: list[Question]) -> tuple[list[int], list[int]]:
    """Token ids and labels of the questions one after another; only answers are learned."""

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    ids, labels = [BOS], [IGNORED]
    for i, question in enumerate(questions):
        if i == 0:
            prompt = encode("USER: ") + [IMAGE] * VISUAL_ROWS + encode(f"\n{question.text} ASSISTANT:")
        else:
            prompt = encode(f"USER: {question.text} ASSISTANT:")
        reply = encode(f" {question.answer}") + [EOS]
        ids += prompt + reply
        labels += [IGNORED] * len(prompt) + reply
    return ids, labels


class Batches(Dataset):
    """A map from batch number to batch."""

    def __init__(self, tokenizer: Tokenizer, options: Namespace):
        self.tokenizer, self.stream = tokenizer, f"{options.phase}/{options.seed}"
        self.size, self.crowded = options.batch, options.crowded
        self.easy_vqa = EasyVqa(options.easy_vqa) if options.easy_vqa else None
        self.easy_vqa_share = options.easy_vqa_share

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """pixels (n, SIZE, SIZE, 3), patches (n, VISUAL_ROWS), present (n, classes), ids and labels (n, n_rows)."""
        rng = random.Random(f"{self.stream}/{number}")
        pixels, patches, present, ids, labels = zip(*(self.sample(rng) for _ in range(self.size)))
        # Few different lengths: allocators and compilers like it.
        n_rows = max(352, -(-max(map(len, ids)) // 32) * 32)
        return {
            "pixels": torch.from_numpy(np.stack(pixels)),
            "patches": torch.from_numpy(np.stack(patches)),
            "present": torch.from_numpy(np.stack(present)),
            "ids": torch.tensor([row + [0] * (n_rows - len(row)) for row in ids]),
            "labels": torch.tensor([row + [IGNORED] * (n_rows - len(row)) for row in labels]),
        }

    def sample(self, rng: random.Random) -> tuple:
        """One picture: pixels, patches, present, ids, labels. Only our own scenes know what their patches show."""
        patches, present = np.full(VISUAL_ROWS, IGNORED), np.zeros(len(NAMES), np.float32)
        if self.easy_vqa and rng.random() < self.easy_vqa_share:
            image, questions = self.easy_vqa.draw(rng)
        else:
            scene = make_scene(rng, crowded=rng.random() < self.crowded)
            image, questions = scene.image, ask(rng, scene)[:QUESTIONS]
            patches = patch_labels(scene.labels)
            present[[INDEX[thing.name] for thing in scene.things]] = 1
        return np.array(image, np.uint8), patches, present, *conversation(self.tokenizer, questions)
