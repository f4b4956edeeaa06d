"""Makes the held-out questions: scenes from seeds that training never uses, as WebP, and one JSON line a question.

python make_eval.py                                                       # adds to model/eval what is missing
python make_eval.py --name openmoji --styles openmoji --out build/eval-openmoji   # the art style kept out of training
"""

import argparse
import json
import random
from collections import Counter
from pathlib import Path

from classes import HERE
from questions import KINDS, Question, ask
from scenes import SEEN_STYLES, make_scene

TINTING = ("some", "many", "held-out")  # of scenes by turns, see scenes.pick_tint


def choose(candidates: list[Question], asked: Counter, count: int) -> list[Question]:
    """At most `count` different questions, the kinds asked least so far first, so that all kinds end up about equal."""
    distinct = list({question.text: question for question in candidates}.values())
    chosen = []
    while distinct and len(chosen) < count:
        best = min(distinct, key=lambda question: asked[question.kind])
        distinct.remove(best)
        chosen.append(best)
        asked[best.kind] += 1
    return chosen


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="eval", help="part of every scene's seed")
    parser.add_argument("--scenes", type=int, default=400, help="how many there shall be")
    parser.add_argument("--per-scene", type=int, default=8, help="questions a scene, at most")
    parser.add_argument("--styles", nargs="+", default=list(SEEN_STYLES))
    parser.add_argument("--out", type=Path, default=HERE.parent / "eval")
    args = parser.parse_args()

    (args.out / "images").mkdir(parents=True, exist_ok=True)
    path = args.out / "questions.jsonl"
    there = read_lines(path)
    asked = Counter(line["kind"] for line in there)
    lines = []
    for number in range(len({line["image"] for line in there}), args.scenes):
        # Training seeds start with "train/", so no scene here can be one of training's.
        rng = random.Random(f"{args.name}/{number}")
        scene = make_scene(rng, tuple(args.styles), tinting=TINTING[number % len(TINTING)])
        image = f"images/{number:03d}.webp"
        scene.image.save(args.out / image, lossless=True, quality=60, method=3)
        for i, question in enumerate(choose(ask(rng, scene), asked, args.per_scene)):
            line = {"id": f"{number:03d}-{i}", "image": image, "kind": question.kind}
            lines.append(line | {"question": question.text, "answer": question.answer})
    with open(path, "a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    print(f"{len(lines)} questions more; now:", {kind: asked[kind] for kind in KINDS})


if __name__ == "__main__":
    main()
