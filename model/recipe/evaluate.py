"""Measures a model folder with transformers: exact match of greedy answers, per kind, with 95 % Wilson intervals.

python evaluate.py ../fovea-mini                        # all of model/eval, f32
python evaluate.py ../fovea-mini --out build/v0.json    # also keeps the table and every answer
"""

import argparse
import json
import math
from collections import Counter
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration

from classes import HERE
from questions import KINDS


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
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the table and all answers here, as JSON")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    processor = AutoProcessor.from_pretrained(args.model)
    model = LlavaForConditionalGeneration.from_pretrained(args.model, dtype=torch.float32).eval()
    lines = [json.loads(line) for line in (args.data / "questions.jsonl").read_text().splitlines()][: args.limit]
    for line in lines:
        image = Image.open(args.data / line["image"]).convert("RGB")
        line["said"] = answer(model, processor, image, line["question"])
        line["right"] = line["said"] == line["answer"]
    rows = summarise(lines)
    print_table(rows)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"model": str(args.model), "accuracy": rows, "answers": lines}, indent=1))


if __name__ == "__main__":
    main()
