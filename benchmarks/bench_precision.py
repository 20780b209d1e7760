"""bf16 beside float32 on the simulated set: the losses of the first 50 steps and the final mAP, over three seeds.

    python -m benchmarks.bench_precision [--seeds 3] [--epochs 40]

The preset is `simulated` for THUMOS14 (D = 64, T = 200, 200 training and 210 test videos, batches of 16).
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
import torch

from tal_search.data.dataset import find, load
from tal_search.data.simulation import Simulation
from tal_search.localization import Inference
from tal_search.methods.backtal import PRESETS, BackTAL, Hyperparameters
from tal_search.metrics.average_precision import score
from tal_search.training.loop import Fit, choose_device
from tal_search.types import BACKGROUND_CLICKS, Dataset

STEPS, TIOU = 50, (0.3, 0.4, 0.5, 0.6, 0.7)


def make_fit(dataset: Dataset, precision: str, seed: int, videos: int) -> Fit:
    settings = {name: value for name, value in PRESETS["thumos14"]["simulated"].items() if name != "snippets"}
    torch.manual_seed(seed)
    method = BackTAL(Hyperparameters(**settings), dataset.train.features.shape[1], len(dataset.classes))
    return Fit(method, dataset.train, np.arange(videos), seed, precision, choose_device("auto"))


def step_losses(dataset: Dataset, precision: str, seed: int) -> list[float]:
    """The total loss of the first 50 steps; an epoch of one batch is one step."""
    fit = make_fit(dataset, precision, seed, videos=16)
    return [fit.epoch(step)["total"] for step in range(1, STEPS + 1)]


def final_mAP(dataset: Dataset, precision: str, seed: int, epochs: int) -> float:
    """Mean mAP at tIoU .3 to .7, in percent."""
    fit = make_fit(dataset, precision, seed, videos=len(dataset.train.videos))
    for epoch in range(1, epochs + 1):
        fit.epoch(epoch)
    detections = fit.method.detect(dataset.test, dataset.classes, Inference())
    return 100 * float(np.mean(score(dataset.test_truth, detections, TIOU, subset="test").mAP))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    args = parser.parse_args()
    dataset = load(find("thumos14", "simulated", None, None, None, 200, Simulation()), "A1", (BACKGROUND_CLICKS,))
    found: dict[str, list[float]] = {"float32": [], "bf16": []}
    for seed in range(args.seeds):
        exact, mixed = (np.array(step_losses(dataset, precision, seed)) for precision in found)
        apart = np.abs(mixed / exact - 1).max()
        for precision, scores in found.items():
            scores.append(final_mAP(dataset, precision, seed, args.epochs))
        print(
            f"seed {seed}: total losses of the first {STEPS} steps at most {100 * apart:.2f} % apart; mAP@.3:.7 after "
            f"{args.epochs} epochs: float32 {found['float32'][-1]:.1f}, bf16 {found['bf16'][-1]:.1f}",
            flush=True,
        )
    for precision, scores in found.items():
        print(f"  {precision}: {statistics.mean(scores):.1f}, from {min(scores):.1f} to {max(scores):.1f}")


if __name__ == "__main__":
    main()
