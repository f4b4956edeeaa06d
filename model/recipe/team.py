"""Several processes of one thread that train one model: they meet once a step, to average their gradients.

On a machine shared with others this is faster than one process of several threads, which meet thousands of times."""

import ctypes
import signal

import torch
from torch import Tensor, nn
from torch.multiprocessing import get_context

PATIENCE = 4 * 3600  # seconds that a process waits for the others, who may be paused, before it gives up


def follow(work, rank: int, *args) -> None:
    """Runs work in a process that ends with the one that started it, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1: PR_SET_PDEATHSIG
    work(rank, *args)


class Team:
    def __init__(self, size: int, most_values: int):
        context = get_context("spawn")
        self.size = size
        self.shared = torch.zeros(size, most_values).share_memory_()
        self.barrier = context.Barrier(size, timeout=PATIENCE)

    def start(self, work, *args) -> None:
        """Calls work(rank, *args) in a new process for every rank but 0, which is the caller's."""
        context = get_context("spawn")
        for rank in range(1, self.size):
            context.Process(target=follow, args=(work, rank, *args)).start()

    def average(self, rank: int, parameters: list[nn.Parameter]) -> None:
        """Replaces every gradient by its mean over the team."""
        if self.size == 1:
            return
        mine = self.pieces(rank, parameters)
        torch._foreach_copy_(mine, [p.grad for p in parameters])
        self.barrier.wait()
        grads = [p.grad for p in parameters]
        for other in range(self.size):
            if other != rank:
                torch._foreach_add_(grads, self.pieces(other, parameters))
        torch._foreach_div_(grads, self.size)
        self.barrier.wait()  # nobody overwrites what another still reads

    def pieces(self, rank: int, parameters: list[nn.Parameter]) -> list[Tensor]:
        """Views of the shared memory of a process, one per parameter."""
        sizes = [p.numel() for p in parameters]
        values = self.shared[rank, : sum(sizes)].split(sizes)
        return [piece.view(p.shape) for piece, p in zip(values, parameters)]
