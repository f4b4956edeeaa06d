"""Measures a model folder with transformers: exact match of greedy answers, per kind, with 95 % Wilson intervals.

python evaluate.py ../fovea-mini                        # all of model/eval, f32
python evaluate.py ../fovea-mini --out build/v0.json    # also keeps the table and every answer
python evaluate.py ../fovea-mini --fast                 # right or wrong only, many times faster
python evaluate.py ../fovea-mini --fast --shuffle       # text-only control: every question about another's picture
"""

import argparse
import json
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoProcessor, LlavaForConditionalGeneration

from batches import Packer
from classes import HERE
from network import load_student
from questions import KINDS, Question
from validation import grade


def wilson(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share of right answers."""
    share, spread = right / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


@torch.inference_mode()
def answer(model, processor, image: Image.Image, question: str) -> str:
    content = [{"type": "image"}, {"type": "text", "text": question}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(images=image, text=prompt, return_tensors="pt")
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=64)
    return processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()


def answer_lines(folder: Path, data: Path, lines: list[dict]) -> None:
    """Adds what the model said, and whether it is right."""
    processor = AutoProcessor.from_pretrained(folder)
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    for line in lines:
        image = Image.open(data / line["image"]).convert("RGB")
        line["said"] = answer(model, processor, image, line["question"])
        line["right"] = line["said"] == line["answer"]


def grade_lines(folder: Path, data: Path, lines: list[dict]) -> None:
    """Adds whether the model would be right, one pass for the questions about a picture."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    packer, student = Packer(tokenizer), load_student(tokenizer.get_vocab_size(), folder).eval()
    of_image = defaultdict(list)
    for line in lines:
        of_image[line["image"]].append(line)
    for image, group in of_image.items():
        pixels = np.array(Image.open(data / image).convert("RGB"))
        questions = [Question(line["kind"], line["question"], line["answer"]) for line in group]
        for line, right in zip(group, grade(student, packer, pixels, questions)):
            line["right"] = right


def swap_pictures(lines: list[dict]) -> None:
    """Gives every question the picture of the scene half the set away: what is still right was never seen."""
    images = list(dict.fromkeys(line["image"] for line in lines))
    other = dict(zip(images, images[len(images) // 2 :] + images[: len(images) // 2]))
    for line in lines:
        line["image"] = other[line["image"]]


def table_row(kind: str, lines: list[dict], constant_right: int) -> dict:
    right, total = sum(line["right"] for line in lines), len(lines)
    low, high = wilson(right, total)
    shares = {"accuracy": right / total, "low": low, "high": high, "constant": constant_right / total}
    return {"kind": kind, "questions": total} | shares


def summarise(lines: list[dict]) -> list[dict]:
    """One row a kind and one for all; `constant` is the score of always giving that kind's commonest answer."""
    rows, all_constant = [], 0
    for kind in KINDS:
        group = [line for line in lines if line["kind"] == kind]
        if group:
            constant = Counter(line["answer"] for line in group).most_common(1)[0][1]
            all_constant += constant
            rows.append(table_row(kind, group, constant))
    return [*rows, table_row("all", lines, all_constant)]


def print_table(rows: list[dict]) -> None:
    print("| kind | questions | right | 95 % interval | best constant answer |\n|---|---|---|---|---|")
    for row in rows:
        interval = f"{row['low']:.1%} to {row['high']:.1%}"
        print(f"| {row['kind']} | {row['questions']} | {row['accuracy']:.1%} | {interval} | {row['constant']:.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a folder in Hugging Face layout")
    parser.add_argument("--data", type=Path, default=HERE.parent / "eval", help="folder with questions.jsonl")
    parser.add_argument("--limit", type=int, help="only the first so many questions")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th picture, with all its questions")
    parser.add_argument("--fast", action="store_true", help="one pass a picture: no answers, only right or wrong")
    parser.add_argument("--shuffle", action="store_true", help="ask about the pictures of other scenes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the table and all answers here, as JSON")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    lines = [json.loads(line) for line in (args.data / "questions.jsonl").read_text().splitlines()]
    if args.shuffle:
        swap_pictures(lines)
    kept = set(list(dict.fromkeys(line["image"] for line in lines))[:: args.every])
    lines = [line for line in lines if line["image"] in kept][: args.limit]
    (grade_lines if args.fast else answer_lines)(args.model, args.data, lines)
    rows = summarise(lines)
    print_table(rows)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"model": str(args.model), "accuracy": rows, "answers": lines}, indent=1))


if __name__ == "__main__":
    main()
