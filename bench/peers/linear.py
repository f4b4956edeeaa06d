"""PyTorch's products for bench/kernels.mjs: for every line `m n k dtype` of its input prints GFLOP/s of x (m, k) by
weights (n, k), the median of some.

    python bench/peers/linear.py <threads> <repetitions>
"""

import statistics
import sys
import time

import torch


def main():
    threads, repetitions = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    with torch.inference_mode():
        for line in sys.stdin:
            m, n, k = map(int, line.split()[:3])
            dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[line.split()[3]]
            layer = torch.nn.Linear(k, n, bias=False, dtype=dtype)
            x = torch.randn(m, k, dtype=dtype)
            layer(x)
            times = []
            for _ in range(repetitions):
                begin = time.perf_counter()
                layer(x)
                times.append(time.perf_counter() - begin)
            print(2 * m * n * k / statistics.median(times) / 1e9, flush=True)


main()
