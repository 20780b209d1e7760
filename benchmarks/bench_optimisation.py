"""What each option of optimisation adds to a training step: every method's network at D = 2048, T = 750, 20 classes.

    python -m benchmarks.bench_optimisation [--rounds 5] [--videos 4] [--device cpu|cuda]

Per method: a step of all its phases in float32, then its parts one after the other on the same gradients: the update
of Adam and of AdamW, clipping, and the average of the weights. Medians over rounds, in milliseconds; percentages are of
the whole step. The presets train with 2 to 32 videos a step, which makes the whole longer and no part of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count

import numpy as np
import torch

from benchmarks.machine import machine
from tal_search.methods import available, specification
from tal_search.trial.loop import Fit, choose_device
from tal_search.trial.optimisation.average import WeightAverage
from tal_search.trial.optimisation.optimizers import clip_gradients, make_optimizer
from tal_search.types import VideoSet

CHANNELS, SNIPPETS, CLASSES = 2048, 750, 20
CLIPPED, DECAY = 1.0, 0.999


def videos_of(number: int) -> VideoSet:
    """Random features; each video has one class with one instance, clicked in its middle, and background clicks."""
    random = np.random.default_rng(0)
    label = random.integers(0, CLASSES, number)
    segments = np.tile(np.array([[[200, 300]]], np.float32), (number, 1, 1))
    background = np.zeros((number, SNIPPETS), np.bool_)
    background[:, [0, -1]] = True
    action = np.zeros((number, CLASSES, SNIPPETS), np.bool_)
    action[np.arange(number), label, 250] = True
    return VideoSet(
        videos=tuple(f"video_{index}" for index in range(number)),
        features=random.standard_normal((number, CHANNELS, SNIPPETS), dtype=np.float32),
        labels=np.eye(CLASSES, dtype=np.float32)[label],
        duration=np.full(number, 200.0), frames=np.full(number, 6000),
        background_clicks=background, action_clicks=action, segments=segments, segment_labels=label[:, None],
    )  # fmt: skip


def fit_of(method: str, videos: VideoSet, device: torch.device) -> Fit:
    """A fit whose epoch is one step of each phase."""
    torch.manual_seed(0)
    videos_a_step = len(videos.videos)
    settings = {"epochs": 1000, "batch_size": videos_a_step}
    built = specification(method).build(settings, CHANNELS, CLASSES)
    return Fit(built, videos, np.arange(videos_a_step), seed=0, precision="float32", device=device)


def milliseconds(work: Callable[[], object], rounds: int, device: torch.device) -> float:
    """Median over rounds, after one that is not counted."""
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds[1:])


def each(work: Iterable[Callable[[], object]]) -> Callable[[], object]:
    """All of these calls as one."""
    calls = list(work)
    return lambda: [call() for call in calls]


def parts_of(fit: Fit) -> dict[str, Callable[[], object]]:
    """The parts of a step by name, each for all phases, on the gradients that the last step left."""
    method, phases = fit.method, fit.method.phases
    average, updates = WeightAverage(method, DECAY), {}
    for optimizer in ("adam", "adamw"):
        method.hyperparameters = dataclasses.replace(method.hyperparameters, optimizer=optimizer)
        updates[optimizer] = [make_optimizer(method, phase).step for phase in phases]
    clips = [partial(clip_gradients, optimizer, CLIPPED) for optimizer in fit.optimizers.values()]
    return {
        **{name: each(steps) for name, steps in updates.items()},
        "clip_norm": each(clips),
        "ema_decay": each([partial(average.update, phase) for phase in phases]),
    }


def measure(method: str, videos: VideoSet, rounds: int, device: torch.device) -> str:
    """One line of the table."""
    fit, epochs = fit_of(method, videos, device), count(1)
    step = milliseconds(lambda: fit.epoch(next(epochs)), rounds, device)
    parts = {name: milliseconds(part, rounds, device) for name, part in parts_of(fit).items()}
    parameters = sum(tensor.numel() for tensor in fit.method.network.parameters())
    cells = [f"{taken:.1f} ms ({100 * taken / step:.1f} %)" for taken in parts.values()]
    return f"| {method} | {parameters / 1e6:.1f} M | {step:.0f} ms | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--videos", type=int, default=4, help="of a step")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    device, videos = choose_device(args.device), videos_of(args.videos)
    print(machine(args.device))
    print(f"{args.videos} videos a step, {torch.get_num_threads()} threads, torch {torch.__version__}, {device.type}")
    print(
        "| method | parameters | step | adam | adamw | clip_norm | ema_decay |\n|---|---|---|---|---|---|---|",
        flush=True,
    )
    for method in available():
        print(measure(method, videos, args.rounds, device), flush=True)


if __name__ == "__main__":
    main()
