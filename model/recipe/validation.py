"""Right or wrong answers to many questions about a picture, in one pass.

A reply is right when every token of it would be said after the right ones before it: then, and only then, greedy
decoding says it. Training watches its progress so, on a small fixed set of scenes that neither it nor ../eval uses."""

import random
from collections import Counter

import numpy as np
import torch

from batches import VISUAL_ROWS, Packer
from facts import FACTS, IGNORED, patch_facts
from network import Student
from questions import Question, ask
from scenes import make_scene

SCENES = 20


@torch.inference_mode()
def grade(student: Student, packer: Packer, image: np.ndarray, questions: list[Question]) -> list[bool]:
    """Which of the questions about an image (SIZE, SIZE, 3) are answered rightly."""
    sequence = packer.pack(questions, list(range(VISUAL_ROWS)), VISUAL_ROWS, padded=False)
    device = next(student.parameters()).device
    batch = {name: torch.tensor([getattr(sequence, name)], device=device) for name in ("ids", "blocks", "positions")}
    rows = torch.arange(VISUAL_ROWS, device=device)[None]
    visual = student.project(student.see(torch.from_numpy(image)[None].to(device)), rows)
    said = student.llava.lm_head(student.read(visual, batch, len(packer.before))).argmax(-1)[0, :-1].cpu()
    labels, blocks = torch.tensor(sequence.labels)[1:], torch.tensor(sequence.blocks)[1:]
    replies = [(blocks == number) & (labels != IGNORED) for number in range(1, len(questions) + 1)]
    if not all(reply.any() for reply in replies):
        raise ValueError(f"{len(questions)} questions do not fit into one pass")
    return [bool((said == labels)[reply].all()) for reply in replies]


class Validation:
    def __init__(self, packer: Packer):
        self.packer = packer
        self.scenes = []
        for number in range(SCENES):
            rng = random.Random(f"validation/{number}")
            scene = make_scene(rng)
            pixels, labels = np.array(scene.image, np.uint8), patch_facts(scene)[1][:, 0]
            self.scenes.append((pixels, labels, ask(rng, scene)[:12]))

    @torch.inference_mode()
    def measure(self, student: Student) -> dict[str, float]:
        """Share of right replies per kind and in all, and of object patches that are named rightly ("patches")."""
        right, asked = Counter(), Counter()
        for pixels, labels, questions in self.scenes:
            for question, good in zip(questions, grade(student, self.packer, pixels, questions)):
                for kind in (question.kind, "all"):
                    asked[kind] += 1
                    right[kind] += good
            image = torch.from_numpy(pixels)[None].to(next(student.parameters()).device)
            facts = student.facts_head(student.see(image))[0]
            named = facts[:, : FACTS["label"]].argmax(-1).cpu().numpy()
            asked["patches"] += int((labels > 0).sum())
            right["patches"] += int((named == labels)[labels > 0].sum())
        return {kind: round(right[kind] / asked[kind], 3) for kind in sorted(asked)}
