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
