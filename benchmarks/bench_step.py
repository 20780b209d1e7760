"""Time of a BackTAL training step at release scale (B=4, D=H=2048, T=750) in bf16 and float32, and of a plain one.

    python -m benchmarks.bench_step [--variant paper|release] [--rounds 3] [--device cpu|cuda] [--busy] [--profile]

The plain step unfolds the inputs, see `unfold_reference`. The matrix-product rate is that of a square product in the
same precision, measured just before and after every step; floating-point operations are counted for the step's own
products and convolutions. Each round measures every kind of step once; times are medians over rounds, ratios are taken
within a round. On a machine shared with others, --busy measures the CPU time of one thread instead of wall-clock time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import unfold_reference
from benchmarks.machine import machine
from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.trial.loop import Fit, choose_device
from tal_search.types import VideoSet

BATCH, CHANNELS, SNIPPETS, CLASSES = 4, 2048, 750, 20
KINDS = {"bf16": torch.bfloat16, "float32": torch.float32}


def one_batch() -> VideoSet:
    """One batch of random features, with background clicks on 3 % of the snippets."""
    random = np.random.default_rng(0)
    return VideoSet.labelled(
        videos=tuple(f"video_{index}" for index in range(BATCH)),
        features=random.standard_normal((BATCH, CHANNELS, SNIPPETS), dtype=np.float32),
        labels=np.eye(CLASSES, dtype=np.float32)[random.integers(0, CLASSES, BATCH)],
        duration=np.full(BATCH, 200.0),
        frames=np.full(BATCH, 6000),
        background_clicks=random.random((BATCH, SNIPPETS)) < 0.03,
    )


def product_rate(precision: str, device: torch.device, size: int = 3072) -> float:
    """Floating-point operations per second of a square matrix product (median of three)."""
    left, right = (torch.randn(size, size, device=device).to(KINDS[precision]) for _ in range(2))
    return 2 * size**3 / statistics.median(timed(lambda: left @ right, device) for _ in range(3))


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds: CPU time for a single thread, which only waits because of other processes, else wall-clock time."""
    clock = time.process_time if torch.get_num_threads() == 1 and device.type == "cpu" else time.perf_counter
    started = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - started


class FitStep:
    """The training step of a fit whose epoch is one batch."""

    def __init__(self, fit: Fit, precision: str, device: torch.device) -> None:
        self.fit, self.epoch, self.precision, self.device = fit, 0, precision, device
        with FlopCounterMode(display=False) as counter:
            self()  # also the warm-up
        self.operations = counter.get_total_flops()

    def __call__(self) -> None:
        self.epoch += 1
        self.fit.epoch(self.epoch)

    def measure(self) -> tuple[float, float, float]:
        """Seconds, the matrix-product rate around the step, and the step's share of that rate."""
        before = product_rate(self.precision, self.device)
        seconds = timed(self, self.device)
        rate = (before + product_rate(self.precision, self.device)) / 2
        return seconds, rate, self.operations / seconds / rate


def our_step(precision: str, variant: str, device: torch.device) -> FitStep:
    """The project's training step of BackTAL."""
    torch.manual_seed(0)
    method = BackTAL(Hyperparameters(variant=variant, batch_size=BATCH), CHANNELS, CLASSES)
    fit = Fit(method, one_batch(), np.arange(BATCH), seed=0, precision=precision, device=device)
    return FitStep(fit, precision, device)


def unfolding_step(variant: str, device: torch.device) -> Callable[[], object]:
    """The plain step, warmed up."""
    videos = one_batch()
    network = BackTAL(Hyperparameters(variant=variant), CHANNELS, CLASSES).network.to(device)
    step = unfold_reference.Step(dict(network.state_dict()), variant, dropout=0.7)
    arrays = (videos.features, videos.labels, videos.background_clicks)
    batch = [torch.from_numpy(array).to(device) for array in arrays]
    step(*batch)
    return lambda: step(*batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=("paper", "release"), default="paper")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true", help="one thread, timed by its CPU time")
    parser.add_argument("--profile", action="store_true", help="print a profile of a bf16 step and stop")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    device = choose_device(args.device)
    if args.busy:
        torch.set_num_threads(1)
    print(machine(args.device))
    print(
        f"BackTAL step, variant {args.variant}, {device.type}, {torch.get_num_threads()} threads: B={BATCH} "
        f"D=H={CHANNELS} T={SNIPPETS}, torch {torch.__version__}; medians of {args.rounds}",
        flush=True,
    )
    ours = {precision: our_step(precision, args.variant, device) for precision in KINDS}
    if args.profile:
        with profile() as recorded:
            ours["bf16"]()
        print(recorded.key_averages().table(sort_by="self_cpu_time_total", row_limit=15, max_name_column_width=40))
        return
    theirs = unfolding_step(args.variant, device)
    unfolding: list[float] = []
    measured: dict[str, list[tuple[float, float, float]]] = {precision: [] for precision in KINDS}
    for _ in range(args.rounds):
        unfolding.append(timed(theirs, device))
        for precision, step in ours.items():
            measured[precision].append(step.measure())
    print(f"  unfold and mask, float32: {statistics.median(unfolding):.2f} s")
    for precision, rounds in measured.items():
        seconds, rate, share = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(other / row[0] for other, row in zip(unfolding, rounds, strict=True))
        print(
            f"  {precision}: {seconds:.2f} s, {100 * share:.0f} % of the matrix-product rate "
            f"({ours[precision].operations / 1e9:.0f} GFLOP per step; products at {rate / 1e9:.0f} GFLOP/s), "
            f"{ratio:.1f} x faster than unfolding"
        )


if __name__ == "__main__":
    main()
