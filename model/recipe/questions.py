"""Questions about a scene and their only right answers."""

import random
from collections import Counter
from typing import NamedTuple

from classes import NAMES, join_names, plural, with_article
from scenes import SIZE, Scene, Thing

KINDS = ("exist", "count", "total", "what", "where", "rel", "size", "color", "list", "word")
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "center", "right")


class Question(NamedTuple):
    kind: str  # one of KINDS
    text: str
    answer: str


def place(thing: Thing) -> str:
    """The name of the cell of a 3 x 3 grid in which the object's centre lies: "top left", "bottom", "center", …"""
    row, column = min(2, int(thing.cy * 3 / SIZE)), min(2, int(thing.cx * 3 / SIZE))
    if row == 1:
        return COLUMNS[column]
    return ROWS[row] if column == 1 else f"{ROWS[row]} {COLUMNS[column]}"


def compare(rng: random.Random, unique: list[Thing]) -> list[Question]:
    """Left/right, above/below and bigger, for one pair of objects, where the difference can be seen."""
    if len(unique) < 2:
        return []
    a, b = rng.sample(unique, 2)
    out = []
    if abs(a.cx - b.cx) > 20:
        side = "left" if a.cx < b.cx else "right"
        out.append(Question("rel", f"Is the {a.name} left or right of the {b.name}?", side))
    if abs(a.cy - b.cy) > 20:
        side = "above" if a.cy < b.cy else "below"
        out.append(Question("rel", f"Is the {a.name} above or below the {b.name}?", side))
    if abs(a.size - b.size) > 12:
        bigger = a if a.size > b.size else b
        out.append(Question("size", f"Which is bigger, the {a.name} or the {b.name}?", bigger.name))
    return out


def ask(rng: random.Random, scene: Scene) -> list[Question]:
    """Every question this scene gives, in random order; some may come twice."""
    things, counts = scene.things, Counter(thing.name for thing in scene.things)
    unique = [thing for thing in things if counts[thing.name] == 1]
    out = []
    if things:
        left_to_right = sorted(things, key=lambda thing: thing.cx)
        out.append(Question("list", "What objects are in the image?", join_names([t.name for t in left_to_right])))
        out.append(Question("total", "How many objects are there?", str(len(things))))
    for kind, share_present in (("count", 0.75), ("exist", 0.5)):
        for _ in range(2):
            name = rng.choice(list(counts) if things and rng.random() < share_present else NAMES)
            if kind == "count":
                out.append(Question(kind, f"How many {plural(name)} are there?", str(counts[name])))
            else:
                text = f"Is there {with_article(name)} in the image?"
                out.append(Question(kind, text, "yes" if counts[name] else "no"))
    in_cell = Counter(place(thing) for thing in things)
    for thing in rng.sample(things, min(2, len(things))):
        if in_cell[place(thing)] == 1:
            out.append(Question("what", f"What is at the {place(thing)}?", thing.name))
    for thing in rng.sample(unique, min(2, len(unique))):
        out.append(Question("where", f"Where is the {thing.name}?", place(thing)))
    out += compare(rng, unique)
    out.append(Question("color", "What color is the background?", scene.background))
    if scene.word:
        out += [Question("word", "What word is written?", scene.word)] * 2
    elif rng.random() < 0.3:
        out.append(Question("word", "What word is written?", "none"))
    rng.shuffle(out)
    return out
