"""One BackTAL training step at release scale (B=4, D=H=2048, T=750), in seconds and in % of the matrix-product rate.

    python -m benchmarks.bench_step [--precision float32|bf16] [--variant paper|release] [--steps 3]

The rate is that of a square product of the same precision, measured in this process between the steps; the floating
point operations are those of the step's own products and convolutions, counted while it runs.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.training.loop import Fit, choose_device
from tal_search.types import VideoSet

BATCH, CHANNELS, SNIPPETS, CLASSES = 4, 2048, 750, 20


def one_batch() -> VideoSet:
    """One batch of random features, clicked background on 3 % of the snippets."""
    random = np.random.default_rng(0)
    return VideoSet(
        videos=tuple(f"video_{index}" for index in range(BATCH)),
        features=random.standard_normal((BATCH, CHANNELS, SNIPPETS), dtype=np.float32),
        labels=np.eye(CLASSES, dtype=np.float32)[random.integers(0, CLASSES, BATCH)],
        duration=np.full(BATCH, 200.0),
        frames=np.full(BATCH, 6000),
        background_clicks=random.random((BATCH, SNIPPETS)) < 0.03,
    )


def product_rate(precision: str, device: torch.device, size: int = 3072) -> float:
    """Floating point operations a second of one square matrix product (median of three)."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    return 2 * size**3 / statistics.median(timed(lambda: left @ right, device) for _ in range(4))


def timed(work: object, device: torch.device) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--variant", choices=("paper", "release"), default="paper")
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    device = choose_device("auto")
    torch.manual_seed(0)
    method = BackTAL(Hyperparameters(variant=args.variant, batch_size=BATCH), CHANNELS, CLASSES)
    fit = Fit(method, one_batch(), np.arange(BATCH), seed=0, precision=args.precision, device=device)
    with FlopCounterMode(display=False) as counter:
        fit.epoch(1)  # one batch, so one step; also the warm-up
    operations = counter.get_total_flops()
    seconds, rates = [], []
    for step in range(args.steps):
        seconds.append(timed(lambda number=step + 2: fit.epoch(number), device))
        rates.append(product_rate(args.precision, device))
    step_s, rate = statistics.median(seconds), statistics.median(rates)
    print(
        f"BackTAL step, variant {args.variant}, {args.precision}, {device.type}, {torch.get_num_threads()} threads: "
        f"B={BATCH} D=H={CHANNELS} T={SNIPPETS}"
    )
    print(f"  {step_s:.2f} s a step (median of {args.steps}; {min(seconds):.2f} to {max(seconds):.2f})")
    print(f"  {operations / 1e9:.0f} GFLOP a step in products; matrix products run at {rate / 1e9:.0f} GFLOP/s here")
    print(f"  {100 * operations / step_s / rate:.0f} % of the matrix-product rate")


if __name__ == "__main__":
    main()
