"""What makes a step on CPUs cheaper without changing what is learned: attention whose backward pass stays in bf16, an
activation of one operation, and an allocator that keeps its memory."""

import ctypes

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8  # mallopt(3)


def keep_memory() -> None:
    """Makes glibc give nothing back: otherwise every large tensor is mapped, zeroed and unmapped again by the kernel,
    which is 40 % of a step."""
    libc = ctypes.CDLL(None)
    libc.mallopt(M_ARENA_MAX, 1)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(M_TOP_PAD, 2**26)


class Attention(torch.autograd.Function):
    """softmax(q k^T + mask) v, the products written out: PyTorch's flash attention has a slow backward pass on CPUs."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        scores = q @ k.transpose(-1, -2)
        weights = torch.softmax(scores if mask is None else scores + mask, -1)
        ctx.save_for_backward(q, k, v, weights)
        return weights @ v

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights = ctx.saved_tensors
        towards = torch._softmax_backward_data(grad @ v.transpose(-1, -2), weights, -1, weights.dtype)
        return towards @ k, towards.transpose(-1, -2) @ q, weights.transpose(-1, -2) @ grad, None


def attend(module: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scaling: float, **_) -> tuple:
    """(batch, heads, rows, d_head) each, k and v of KV heads -> (batch, rows, heads, d_head), as transformers asks it."""
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, 1) for x in (k, v)) if group > 1 else (k, v)
    dtype = v.dtype
    with torch.autocast(q.device.type, enabled=False):
        out = Attention.apply((q * scaling).to(dtype), k.to(dtype), v, None if mask is None else mask.to(dtype))
    return out.transpose(1, 2).contiguous(), None


class QuickGeluStep(torch.autograd.Function):
    """x sigmoid(1.702 x), which is silu(1.702 x) / 1.702, and has that silu's derivative."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        steep = x * 1.702
        ctx.save_for_backward(steep)
        return F.silu(steep).div_(1.702)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return torch.ops.aten.silu_backward(grad, ctx.saved_tensors[0])


class QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return QuickGeluStep.apply(x)


AttentionInterface.register("lean", attend)
