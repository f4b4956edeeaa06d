"""The vocabulary of the scenes: what can be drawn, and the English that names it."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLASSES = json.loads((HERE / "classes.json").read_text())  # display name -> emoji short name
NAMES = list(CLASSES)
INDEX = {name: i for i, name in enumerate(NAMES)}
WORDS = (HERE / "words.txt").read_text().split()  # words that may be printed into a scene
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

COLORS = {  # backgrounds
    "red": (200, 50, 50), "green": (70, 160, 80), "blue": (60, 100, 200), "yellow": (235, 210, 80),
    "orange": (240, 150, 50), "purple": (140, 80, 180), "pink": (240, 170, 190), "brown": (130, 90, 60),
    "gray": (140, 140, 140), "white": (240, 240, 240), "black": (30, 30, 30), "cyan": (90, 200, 210),
}

TINTS = {  # of recoloured objects
    "red": (230, 40, 40), "green": (50, 180, 70), "blue": (50, 90, 235), "yellow": (250, 220, 40),
    "orange": (255, 140, 20), "purple": (160, 70, 210), "pink": (255, 140, 190), "cyan": (50, 215, 225),
}
HELD_OUT_PAIRS = 28  # class and tint: every fourth class in one colour that training never gives it
HELD_OUT = {name: (list(TINTS)[i % len(TINTS)],) for i, name in enumerate(NAMES[1::4][:HELD_OUT_PAIRS])}

# Classes that go together; classes.json lists them in this order.
THEME_STARTS = ("apple", "dog", "fish", "tree", "car", "house", "ball", "guitar")
THEMES = [
    NAMES[NAMES.index(start) : NAMES.index(end) if end else None]
    for start, end in zip(THEME_STARTS, (*THEME_STARTS[1:], None))
]
POPULAR = NAMES[::8]  # drawn twice as often as the others

UNCHANGED_PLURAL = {"sheep", "fish", "glasses", "scissors", "fries", "grapes", "dice"}
NO_ARTICLE = {"glasses", "scissors", "fries", "grapes", "broccoli", "cheese", "coffee", "corn"}


def plural(name: str) -> str:
    if name in UNCHANGED_PLURAL:
        return name
    if name == "mouse":
        return "mice"
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def with_article(name: str) -> str:
    if name in NO_ARTICLE:
        return name
    return ("an " if name[0] in "aeiou" else "a ") + name


def join_names(names: list[str]) -> str:
    """["a", "b", "c"] -> "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
