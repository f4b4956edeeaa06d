"""Trains the model, on CPUs or a GPU. Run the same command again to go on after an interruption.

python train.py --out build/mini.pt --init ../fovea-mini                 # go on from a published folder
python train.py --out build/mini.pt --steps 6000 --decay-from 4500       # from nothing, with an end
"""

import argparse
import json
import os
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from batches import Batches, Crowds, Packer
from lean import keep_memory
from losses import Teacher
from network import PUBLISHED, Student, load_student
from team import Team
from validation import Validation

RISE = 100  # steps in which the learning rate grows to its peak
HEAD_SCALE = 4.0  # of the learning rate, for the head that tells the tower's facts
MEMORY = 0.99  # of the running mean of the weights, which is what is validated and exported


def learning_rate(args: argparse.Namespace, step: int) -> float:
    """Constant, then a straight line to a twentieth between --decay-from and --steps."""
    left = (args.steps - step) / max(1, args.steps - args.decay_from)
    return args.rate * min(1, (step + 1) / RISE) * max(0.05, min(1.0, left))


def make_optimizers(student: Student, tower_scale: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of layers, AdamW for the rest: embeddings, heads, biases and norms, of which the last two
    do not decay. Every part at its own pace."""
    parts = [
        (tower_scale, student.llava.model.vision_tower),
        (HEAD_SCALE, student.facts_head),
        (1.0, student.llava.model.multi_modal_projector),
        (1.0, student.llava.model.language_model),
    ]
    matrices, rest = [], []
    for scale, part in parts:
        inner, outer, vectors = [], [], []
        for name, p in part.named_parameters():
            layer = p.dim() == 2 and "embed" not in name and part is not student.facts_head
            (inner if layer else outer if p.dim() > 1 else vectors).append(p)
        matrices.append({"scale": scale, "params": inner})
        rest.append({"scale": scale, "params": outer, "weight_decay": 0.05})
        rest.append({"scale": scale, "params": vectors, "weight_decay": 0.0})
    muon = torch.optim.Muon(
        [group for group in matrices if group["params"]], weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, torch.optim.AdamW(rest, betas=(0.9, 0.98), fused=True)]


class Run:
    """The state of a run: weights, their running mean, optimisers and step."""

    def __init__(self, student: Student, tower_scale: float):
        self.student, self.optimizers, self.step = student, make_optimizers(student, tower_scale), 0
        self.mean = {name: tensor.clone() for name, tensor in student.state_dict().items()}

    def advance(self, loss: Tensor, rate: float, team: Team, rank: int) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        # Some have none: of the tower's last norm, which only the CLS row passes, and of what a tower alone leaves out.
        learning = [p for p in self.student.parameters() if p.grad is not None]
        team.average(rank, learning)
        nn.utils.clip_grad_norm_(learning, 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
            optimizer.step()
        self.step += 1
        memory = min(MEMORY, self.step / (self.step + 10))
        weights = self.student.state_dict()
        for name, mean in self.mean.items():
            if mean.is_floating_point():
                mean.lerp_(weights[name], 1 - memory)

    @contextmanager
    def mean_weights(self):
        """Inside, the student has the running mean of its weights."""
        weights = {name: tensor.clone() for name, tensor in self.student.state_dict().items()}
        self.student.load_state_dict(self.mean)
        yield
        self.student.load_state_dict(weights)

    def save(self, path: Path) -> None:
        """Written beside and renamed, so that an interruption never spoils it."""
        state = {"step": self.step, "weights": self.student.state_dict(), "mean": self.mean}
        beside = path.with_suffix(".tmp")
        torch.save(state | {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}, beside)
        os.replace(beside, path)

    def resume(self, path: Path) -> None:
        state = torch.load(path, map_location=next(self.student.parameters()).device)
        self.student.load_state_dict(state["weights"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        self.mean, self.step = state["mean"], state["step"]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="checkpoint; an existing one is resumed")
    add("--init", type=Path, help="a Hugging Face folder to start from")
    add("--tokenizer", type=Path, default=PUBLISHED / "tokenizer.json")
    add("--steps", type=int, default=1_000_000, help="length of the whole run")
    add("--decay-from", type=int, default=1_000_000, help="step from which the learning rate sinks")
    add("--rate", type=float, default=6e-4, help="peak learning rate")
    add("--start", type=Path, help="a checkpoint whose weights to start from")
    add("--tower-alone", action="store_true", help="teach the tower what patches of crowded scenes show, and nothing else")
    add("--tower-scale", type=float, default=0.4, help="of the learning rate, for the tower")
    add("--batch", type=int, default=2, help="pictures a step and process")
    add("--warm-up", type=int, default=1200, help="steps with simpler scenes and a quarter of the visual rows")
    add("--seed", type=int, default=0)
    add("--save-every", type=int, default=100)
    add("--validate-every", type=int, default=300)
    add("--bf16", action="store_true", help="products in bf16: twice as fast where there are such (GPUs, AVX512-BF16, AMX)")
    add("--curve", type=Path, help="JSON lines: losses, speed, accuracy on the validation scenes")
    add("--processes", type=int, default=2, help="of one thread each; 1 on a GPU")
    add("--painters", type=int, default=1, help="processes that draw scenes for each of these")
    add("--device", default="cpu", help="cpu or cuda")
    return parser.parse_args()


class Log:
    """Mean losses and speed about twice a minute, on the screen and in the curve."""

    def __init__(self, curve: Path | None, step: int):
        self.curve, self.step, self.began = curve, step, time.monotonic()
        self.sums: dict[str, float] = defaultdict(float)

    def write(self, line: dict) -> None:
        text = json.dumps({"time": time.strftime("%H:%M:%S", time.gmtime())} | line)
        print(text, flush=True)
        if self.curve:
            with open(self.curve, "a") as file:
                file.write(text + "\n")

    def add(self, step: int, images: int, losses: dict[str, Tensor], right: Tensor) -> None:
        for name, loss in losses.items():
            self.sums[name] += loss.item()
        self.sums["right"] += right.float().mean().item()
        seconds = time.monotonic() - self.began
        if seconds < 30:
            return
        n = step - self.step
        means = {name: round(value / n, 4) for name, value in self.sums.items()}
        self.write({"step": step, "images/s": round(n * images / seconds, 2)} | means)
        self.sums.clear()
        self.step, self.began = step, time.monotonic()


def work(rank: int, args: argparse.Namespace, team: Team) -> None:
    """Trains. Rank 0 also keeps the log, the checkpoint and the validation."""
    keep_memory()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    student = load_student(tokenizer.get_vocab_size(), args.init)
    if args.start:
        student.load_state_dict(torch.load(args.start)["mean"])
    run = Run(student.train().to(args.device), args.tower_scale)
    if args.out.exists():
        run.resume(args.out)
    packer = Packer(tokenizer)
    teacher = Teacher(tokenizer, len(packer.before), args.device)
    if args.tower_alone:
        batches = Crowds(args.batch, args.seed, rank)
    else:
        batches = Batches(packer, args.batch, args.seed, args.warm_up, rank)
    leads = rank == 0
    if leads:
        validation, log = Validation(packer), Log(args.curve, run.step)
    loader = DataLoader(
        batches, batch_size=None, sampler=range(run.step, args.steps), num_workers=args.painters, prefetch_factor=8
    )
    for batch in loader:
        batch = {name: tensor.to(args.device) for name, tensor in batch.items()}
        with torch.autocast(args.device, torch.bfloat16, enabled=args.bf16):
            losses, right = teacher.losses(run.student, batch)
        run.advance(losses["total"], learning_rate(args, run.step), team, rank)
        if not leads:
            continue
        last = run.step == args.steps
        log.add(run.step, args.batch * team.size, losses, right)
        if run.step % args.save_every == 0 or last:
            run.save(args.out)
        if run.step % args.validate_every == 0 or last:
            with run.mean_weights():
                log.write({"step": run.step, "validation": validation.measure(run.student)})


def main() -> None:
    args = parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    vocab = Tokenizer.from_file(str(args.tokenizer)).get_vocab_size()
    team = Team(args.processes, sum(p.numel() for p in load_student(vocab).parameters()))
    team.start(work, args, team)
    work(0, args, team)


if __name__ == "__main__":
    main()
