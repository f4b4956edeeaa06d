"""Accuracy per kind of question on a small fixed set of scenes that neither training nor ../eval uses.

A reply is right when every token of it would be said after the right ones before it: that is what greedy decoding does."""

import random
from collections import Counter

import numpy as np
import torch

from batches import VISUAL_ROWS, Packer
from facts import FACTS, IGNORED, patch_facts
from questions import ask
from scenes import make_scene

SCENES = 40
AT_ONCE = 8


class Validation:
    def __init__(self, packer: Packer):
        self.packer = packer
        self.scenes = []
        for number in range(SCENES):
            rng = random.Random(f"validation/{number}")
            scene = make_scene(rng)
            questions = ask(rng, scene)
            sequence = packer.pack(questions, list(range(VISUAL_ROWS)), VISUAL_ROWS)
            self.scenes.append((np.array(scene.image, np.uint8), patch_facts(scene)[1], sequence, questions))

    @torch.inference_mode()
    def measure(self, run) -> dict[str, float]:
        """Share of right replies per kind and in all, and of object patches that are named rightly ("patches")."""
        weights = {name: tensor.clone() for name, tensor in run.student.state_dict().items()}
        run.student.load_state_dict(run.mean)
        right, asked = Counter(), Counter()
        for i in range(0, SCENES, AT_ONCE):
            self.count(run.student, self.scenes[i : i + AT_ONCE], right, asked)
        run.student.load_state_dict(weights)
        return {kind: round(right[kind] / asked[kind], 3) for kind in sorted(asked)}

    def count(self, student, scenes: list[tuple], right: Counter, asked: Counter) -> None:
        pixels, facts, sequences, questions = zip(*scenes)
        names = ("ids", "labels", "blocks", "positions")
        batch = {name: torch.tensor([getattr(sequence, name) for sequence in sequences]) for name in names}
        rows = torch.arange(VISUAL_ROWS).expand(len(scenes), -1)
        seen = student.see(torch.from_numpy(np.stack(pixels)))
        said = student.llava.lm_head(student.read(student.project(seen, rows), batch, len(self.packer.before)))
        correct = said.argmax(-1)[:, :-1] == batch["labels"][:, 1:]
        for i, of_scene in enumerate(questions):
            for number, question in enumerate(of_scene, 1):
                reply = (batch["blocks"][i, 1:] == number) & (batch["labels"][i, 1:] != IGNORED)
                if reply.any():
                    for kind in (question.kind, "all"):
                        asked[kind] += 1
                        right[kind] += bool(correct[i][reply].all())
        labels = torch.from_numpy(np.stack(facts))[..., 0]
        shown = labels > 0
        guess = student.facts_head(seen)[..., : FACTS["label"]].argmax(-1)
        asked["patches"] += int(shown.sum())
        right["patches"] += int((guess == labels)[shown].sum())
