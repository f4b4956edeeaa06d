"""Trains the model on CPU, in two phases. Run the same command again to go on after an interruption.

python train.py tower --steps 1125 --out build/tower.pt                          # the tower alone: label every patch
python train.py joint --steps 833 --init build/tower.pt --out build/joint.pt     # everything: answer questions
python train.py joint --steps 833 --init ../fovea-mini --out build/more.pt       # go on from a published folder
"""

import argparse
import math
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from batches import IGNORED, Batches
from classes import HERE
from network import Student, load_student

WARM_UP = 150  # steps
SCENE_WEIGHT = 20  # of the scene head's loss, a mean over mostly absent classes
TEACHING_WEIGHT = {"tower": 1.0, "joint": 0.3}  # of both heads' losses beside the answers'


def learning_rate(peak: float, step: int, steps: int) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * min(1, (step + 1) / WARM_UP) * (0.97 * cosine + 0.03)


def losses(student: Student, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
    """What the phase minimises, and for the log: `patches`, `scene` and `answers`."""
    seen = student.see(batch["pixels"])
    patch_logits = student.patch_head(seen[:, 1:]).float().flatten(0, 1)
    patches = F.cross_entropy(patch_logits, batch["patches"].flatten(), ignore_index=IGNORED)
    scene_logits = student.scene_head(seen[:, 0]).float()
    scene = SCENE_WEIGHT * F.binary_cross_entropy_with_logits(scene_logits, batch["present"])
    out = {"patches": patches, "scene": scene, "total": TEACHING_WEIGHT[phase] * (patches + scene)}
    if phase == "joint":
        rows = student.read(seen, batch["ids"])[:, :-1]
        wanted = batch["labels"][:, 1:]
        learned = wanted != IGNORED
        out["answers"] = F.cross_entropy(student.llava.lm_head(rows[learned]).float(), wanted[learned])
        out["total"] = out["total"] + out["answers"]
    return out


def trained_parameters(student: Student, phase: str) -> list[nn.Parameter]:
    parts = [student.llava.model.vision_tower, student.patch_head, student.scene_head]
    return [p for part in parts for p in part.parameters()] if phase == "tower" else list(student.parameters())


def make_optimizer(parameters: list[nn.Parameter]) -> torch.optim.AdamW:
    """AdamW that lets matrices decay and leaves biases and norms alone."""
    matrices, vectors = [p for p in parameters if p.dim() > 1], [p for p in parameters if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


def save(path: Path, run: dict, step: int, student: Student, optimizer: torch.optim.Optimizer) -> None:
    """Everything a later run needs; written beside and renamed, so that an interruption never spoils it."""
    state = {"run": run, "step": step, "weights": student.state_dict(), "optimizer": optimizer.state_dict()}
    beside = path.with_suffix(".tmp")
    torch.save(state, beside)
    os.replace(beside, path)


def resume(path: Path, run: dict, student: Student, optimizer: torch.optim.Optimizer) -> int:
    state = torch.load(path)
    if state["run"] != run:
        raise SystemExit(f"{path} was made with {state['run']}, not {run}: use the same options or another --out")
    student.load_state_dict(state["weights"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("phase", choices=["tower", "joint"])
    add("--steps", type=int, required=True, help="length of the whole run; sets the schedule")
    add("--stop-after", type=int, help="save and leave at this step; run again to go on")
    add("--out", type=Path, required=True, help="checkpoint; an existing one is resumed")
    add("--init", type=Path, help="start from a checkpoint (.pt) or a Hugging Face folder")
    add("--tokenizer", type=Path, default=HERE / "build" / "tokenizer.json")
    add("--rate", type=float, default=1e-3, help="peak learning rate")
    add("--batch", type=int, default=24, help="scenes a step")
    add("--seed", type=int, default=0)
    add("--crowded", type=float, help="share of crowded scenes (default: tower 0.85, joint 0)")
    add("--easy-vqa", type=Path, help="training split of easy-VQA: questions.json and images/")
    add("--easy-vqa-share", type=float, default=0.12)
    add("--save-every", type=int, default=100)
    add("--threads", type=int, default=2)
    add("--workers", type=int, default=1, help="processes that draw scenes")
    args = parser.parse_args()
    if args.crowded is None:
        args.crowded = 0.85 if args.phase == "tower" else 0.0
    return args


def load_start(args: argparse.Namespace, vocab: int) -> Student:
    """Fresh weights from the seed, or those of a folder or of another phase's checkpoint."""
    torch.manual_seed(args.seed)
    if args.init and args.init.is_dir():
        return load_student(vocab, args.init)
    student = load_student(vocab)
    if args.init:
        student.load_state_dict(torch.load(args.init)["weights"])
    return student


def described(args: argparse.Namespace) -> dict:
    """The options that decide what a run computes: a checkpoint is resumed only under the same ones."""
    decisive = ("phase", "steps", "init", "rate", "batch", "seed", "crowded", "easy_vqa", "easy_vqa_share")
    return {name: str(getattr(args, name)) for name in decisive}


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    student = load_start(args, tokenizer.get_vocab_size()).train()
    parameters = trained_parameters(student, args.phase)
    optimizer = make_optimizer(parameters)
    run = described(args)
    start = resume(args.out, run, student, optimizer) if args.out.exists() else 0
    stop = min(args.steps, args.stop_after or args.steps)
    print(f"{args.phase}: steps {start} to {stop} of {args.steps}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    batches = Batches(tokenizer, args)
    loader = DataLoader(batches, batch_size=None, sampler=range(start, stop), num_workers=args.workers)
    for done, batch in enumerate(loader, start + 1):
        with torch.autocast("cpu", torch.bfloat16):
            loss = losses(student, batch, args.phase)
        optimizer.zero_grad()
        loss["total"].backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(args.rate, done - 1, args.steps)
        optimizer.step()
        if done % 25 == 0 or done == stop:
            speed = (done - start) * args.batch / (time.monotonic() - began)
            values = "  ".join(f"{name} {value.item():.4f}" for name, value in loss.items())
            print(f"step {done}  {speed:.1f} scenes/s  {values}", flush=True)
        if done % args.save_every == 0 or done == stop:
            save(args.out, run, done, student, optimizer)


if __name__ == "__main__":
    main()
