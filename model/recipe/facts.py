"""What the tower is taught beside the answers: facts about the object or letter that a patch shows."""

from collections import Counter

import numpy as np

from questions import cell
from scenes import GRID, N_LABELS, PATCH, SIZE, Scene

IGNORED = -100  # a label that cross_entropy leaves out
COVERED = 0.3  # a patch shows a part if parts cover more of it than this
# Name of the fact -> number of its values.
FACTS = {
    "label": N_LABELS,
    "cell": 9,  # of the 3 x 3 grid, of the object's centre
    "same": 6,  # how many objects of this kind there are, less one
    "order": 16,  # from the left among the objects; of a letter, in the word
    "size": 12,  # side in steps of 8 pixels
}
MOST_PARTS = 40


def patch_parts(owner: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE) part numbers -> (GRID * GRID,): the commonest part of a patch, 0 where little is covered."""
    patches = owner.reshape(GRID, PATCH, GRID, PATCH).transpose(0, 2, 1, 3).reshape(GRID * GRID, PATCH * PATCH)
    place = patches + np.arange(GRID * GRID)[:, None] * MOST_PARTS
    areas = np.bincount(place.ravel(), minlength=GRID * GRID * MOST_PARTS).reshape(-1, MOST_PARTS)
    areas[:, 0] = 0
    return np.where(areas.sum(1) > PATCH * PATCH * COVERED, areas.argmax(1), 0)


def part_facts(scene: Scene) -> np.ndarray:
    """(parts, len(FACTS)): one row for every part number; 0, the background, only has a label."""
    facts = np.full((len(scene.parts), len(FACTS)), IGNORED)
    facts[:, 0] = scene.parts
    for i, part in enumerate(scene.letters):
        facts[part, 3] = i
    counts = Counter(thing.name for thing in scene.things)
    for i, thing in enumerate(sorted(scene.things, key=lambda thing: thing.cx)):
        size = min(thing.size // 8, FACTS["size"] - 1)
        facts[thing.part, 1:] = cell(thing), min(counts[thing.name], 6) - 1, i, size
    return facts


def patch_facts(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Part number (VISUAL_ROWS,) and facts (VISUAL_ROWS, len(FACTS)) of every patch."""
    parts = patch_parts(scene.owner)
    return parts, part_facts(scene)[parts]


assert SIZE == GRID * PATCH
