"""Half-precision features and bf16 compared with float32: losses of the first 50 steps and final mAP, by seed.

    python -m benchmarks.bench_precision [--seeds 3] [--epochs 40] [--device cpu|cuda]

The simulated data set with its own preset: D = 64, T = 200, 200 training and 210 test videos, batches of 16.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.machine import machine
from tal_search.data.find import find, load
from tal_search.data.simulation.videos import Simulation, simulate
from tal_search.localization.inference import Inference
from tal_search.methods.backtal import PRESETS, BackTAL, Hyperparameters
from tal_search.metrics.average_precision import score
from tal_search.trial.loop import Fit, choose_device
from tal_search.types import BACKGROUND_CLICKS, Dataset

STEPS, TIOU = 50, (0.3, 0.4, 0.5, 0.6, 0.7)


class Kind(NamedTuple):
    """Data set, precision and device of a fit."""

    dataset: Dataset
    precision: str
    device: str


def make_fit(kind: Kind, seed: int, videos: int) -> Fit:
    """A fit on the first training videos."""
    hyperparameters = Hyperparameters(**PRESETS["simulated"].hyperparameters)
    torch.manual_seed(seed)
    method = BackTAL(hyperparameters, kind.dataset.train.features.shape[1], len(kind.dataset.classes))
    return Fit(method, kind.dataset.train, np.arange(videos), seed, kind.precision, choose_device(kind.device))


def step_losses(kind: Kind, seed: int) -> list[float]:
    """Total losses of the first 50 steps; the videos are one batch, so each epoch is one step."""
    fit = make_fit(kind, seed, videos=16)
    return [fit.epoch(step)["total"] for step in range(1, STEPS + 1)]


def final_mAP(kind: Kind, seed: int, epochs: int) -> float:
    """Average mAP at tIoU .3 to .7 after the last epoch, in percent."""
    fit = make_fit(kind, seed, videos=len(kind.dataset.train.videos))
    for epoch in range(1, epochs + 1):
        fit.epoch(epoch)
    detections = fit.method.detect(kind.dataset.test, kind.dataset.classes, Inference())
    return 100 * float(np.mean(score(kind.dataset.test_truth, detections, TIOU, subset="test").mAP))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    half = load(find("thumos14", "simulated", None, None, None, 200, Simulation()), "A1", (BACKGROUND_CLICKS,))
    exact = simulate(Simulation(), 200)
    assert half.train.features.dtype == np.float16
    assert exact.train.features.dtype == np.float32
    train = replace(half.train, features=exact.train.features)  # with the same clicks
    kinds = {
        "float32": Kind(replace(half, train=train, test=exact.test), "float32", args.device),
        "float16 features": Kind(half, "float32", args.device),
        "float16 features, bf16": Kind(half, "bf16", args.device),
    }
    results: dict[str, list[float]] = {name: [] for name in kinds}
    print(machine(args.device))
    print(f"after {args.epochs} epochs, {args.device}; difference: largest of the first {STEPS} total losses")
    for seed in range(args.seeds):
        reference = np.array(step_losses(kinds["float32"], seed))
        for name, kind in kinds.items():
            apart = np.abs(np.array(step_losses(kind, seed)) / reference - 1).max()
            results[name].append(final_mAP(kind, seed, args.epochs))
            print(f"seed {seed}, {name}: mAP@.3:.7 {results[name][-1]:.1f}, difference {100 * apart:.2f} %", flush=True)
    for name, scores in results.items():
        print(f"{name}: {statistics.mean(scores):.1f}, from {min(scores):.1f} to {max(scores):.1f}")


if __name__ == "__main__":
    main()
