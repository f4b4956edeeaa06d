"""Questions about a scene and their only right answers."""

import random
from collections import Counter
from itertools import combinations
from typing import NamedTuple

from classes import HELD_OUT, NAMES, POPULAR, THEMES, join_names, plural, with_article
from scenes import SIZE, Scene, Thing

# "tint" is the colour of a recoloured object, "pair" the same of a class and colour kept out of training.
KINDS = ("exist", "count", "total", "what", "where", "rel", "size", "color", "list", "word", "tint", "pair", "caption")
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "center", "right")


class Look(NamedTuple):
    """Where the answer is to be seen, from its character `at` on: parts of the scene, of the first or second object."""

    at: int
    first: list[int]
    second: list[int]


class Question(NamedTuple):
    kind: str  # one of KINDS
    text: str
    answer: str
    looks: list[Look] = []


def cell(thing: Thing) -> int:
    """The cell of a 3 x 3 grid in which the object's centre lies, row by row."""
    return min(2, int(thing.cy * 3 / SIZE)) * 3 + min(2, int(thing.cx * 3 / SIZE))


def place(thing: Thing) -> str:
    """The name of that cell: "top left", "bottom", "center", …"""
    row, column = divmod(cell(thing), 3)
    if row == 1:
        return COLUMNS[column]
    return ROWS[row] if column == 1 else f"{ROWS[row]} {COLUMNS[column]}"


def look_at(*parts: int) -> list[Look]:
    return [Look(0, list(parts), list(parts))]


def compare(a: Thing, b: Thing) -> list[Question]:
    """Left/right, above/below and bigger, for one pair of objects, where the difference can be seen."""
    looks = [Look(0, [a.part], [b.part])]
    out = []
    if abs(a.cx - b.cx) > 20:
        side = "left" if a.cx < b.cx else "right"
        out.append(Question("rel", f"Is the {a.name} left or right of the {b.name}?", side, looks))
    if abs(a.cy - b.cy) > 20:
        side = "above" if a.cy < b.cy else "below"
        out.append(Question("rel", f"Is the {a.name} above or below the {b.name}?", side, looks))
    if abs(a.size - b.size) > 12:
        bigger = a if a.size > b.size else b
        text = f"Which is bigger, the {a.name} or the {b.name}?"
        out.append(Question("size", text, bigger.name, looks))
    return out


def absent_name(rng: random.Random, counts: Counter) -> str:
    """A class that is not there: any, a popular one, or one of the theme of what is there (as POPE does it)."""
    way = rng.choice(("random", "popular", "adversarial"))
    pool = NAMES
    if way == "popular":
        pool = POPULAR
    elif way == "adversarial" and counts:
        shown = rng.choice(list(counts))
        pool = next(theme for theme in THEMES if shown in theme)
    absent = [name for name in pool if name not in counts]
    return rng.choice(absent or [name for name in NAMES if name not in counts])


def item_looks(answer: str, names: list[str], things: list[Thing]) -> list[Look]:
    """One look per name of an enumeration, in order."""
    looks, at = [], 0
    for name, thing in zip(names, things):
        at = answer.index(name, at)
        looks.append(Look(at, [thing.part], [thing.part]))
        at += len(name)
    return looks


def about_all(scene: Scene, things: list[Thing]) -> list[Question]:
    """Questions whose answer takes every object: list, total, caption."""
    left_to_right = sorted(things, key=lambda thing: thing.cx)
    names = [thing.name for thing in left_to_right]
    answer = join_names(names)
    parts = [thing.part for thing in things]
    out = [
        Question("list", "What objects are in the image?", answer, item_looks(answer, names, left_to_right)),
        Question("total", "How many objects are there?", str(len(things)), look_at(*parts)),
    ]
    if scene.background:
        counts = Counter(names)
        items = [with_article(name) if n == 1 else f"{n} {plural(name)}" for name, n in counts.items()]
        sentence = f"{join_names(items)} on a {scene.background} background."
        text = "Describe the image in one sentence."
        out.append(Question("caption", text, sentence[0].upper() + sentence[1:]))
    return out


def about_one(rng: random.Random, things: list[Thing], counts: Counter, times: int) -> list[Question]:
    """Questions about single objects: count, exist, what, where, tint, pair."""
    out = []
    of_kind = {name: [thing.part for thing in things if thing.name == name] for name in counts}
    for _ in range(times):
        name = rng.choice(list(counts)) if counts and rng.random() < 0.75 else absent_name(rng, counts)
        looks = look_at(*of_kind[name]) if name in counts else []
        out.append(Question("count", f"How many {plural(name)} are there?", str(counts[name]), looks))
        name = rng.choice(list(counts)) if counts and rng.random() < 0.5 else absent_name(rng, counts)
        looks = look_at(*of_kind[name]) if name in counts else []
        text = f"Is there {with_article(name)} in the image?"
        out.append(Question("exist", text, "yes" if name in counts else "no", looks))
    in_cell = Counter(place(thing) for thing in things)
    for thing in rng.sample(things, min(times, len(things))):
        if in_cell[place(thing)] == 1:
            out.append(Question("what", f"What is at the {place(thing)}?", thing.name, look_at(thing.part)))
    unique = [thing for thing in things if counts[thing.name] == 1]
    for thing in rng.sample(unique, min(times, len(unique))):
        out.append(Question("where", f"Where is the {thing.name}?", place(thing), look_at(thing.part)))
    for thing in unique:
        if thing.tint:
            kind = "pair" if thing.tint in HELD_OUT.get(thing.name, ()) else "tint"
            out.append(Question(kind, f"What color is the {thing.name}?", thing.tint, look_at(thing.part)))
    return out


def ask(rng: random.Random, scene: Scene, times: int = 2) -> list[Question]:
    """Questions this scene gives, in random order; `times`: how many of a kind that can be asked of many objects."""
    things, counts = scene.things, Counter(thing.name for thing in scene.things)
    unique = [thing for thing in things if counts[thing.name] == 1]
    out = about_all(scene, things) if things else []
    out += about_one(rng, things, counts, times)
    pairs = [pair if rng.random() < 0.5 else pair[::-1] for pair in combinations(unique, 2)]
    for a, b in rng.sample(pairs, min(max(1, times - 1), len(pairs))):
        out += compare(a, b)
    if scene.background:
        out.append(Question("color", "What color is the background?", scene.background))
    if scene.word:
        looks = [Look(i, [part], [part]) for i, part in enumerate(scene.letters)]
        out.append(Question("word", "What word is written?", scene.word, looks))
    elif rng.random() < 0.3:
        out.append(Question("word", "What word is written?", "none"))
    distinct = list({question.text: question for question in out}.values())
    rng.shuffle(distinct)
    return distinct
