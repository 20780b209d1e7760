"""Time to localize and score 210 videos, and to score 1 000 inference settings from the activations of one fit.

    python -m benchmarks.bench_localize

Random activations as large as THUMOS14's: 750 snippets, 20 classes, with similar durations, instances and detections.
The plain NumPy code of the tests is timed on the same data, and must give the same detections and scores.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.machine import machine
from tal_search.config.thresholds import parse_tiou
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize, localize_many, proposal_key
from tal_search.metrics.average_precision import score
from tal_search.types import Annotations, Detections, DetectionScores
from tests.support import reference_localization, reference_scoring

VIDEOS, SNIPPETS, CLASSES, FPS = 210, 750, 20, 30
TIOU = parse_tiou("0.1:0.9:0.1")
REPEATS = 5
GRID = [
    Inference(nms=nms, score_weight=weight, outer_margin=margin, class_threshold=threshold)
    for nms, weight, margin, threshold in itertools.product(
        np.linspace(0.1, 0.9, 10).tolist(), np.linspace(0, 0.5, 10).tolist(), [0.15, 0.2, 0.25, 0.3, 0.35], [0.2, 0.25]
    )
]
# Start-up of a new process: import Numba's loops, then localize and score a small set of videos.
FIRST_CALL = """
import sys, time
from benchmarks.bench_localize import TIOU, release_like
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
data = release_like(videos=2)
began = time.perf_counter()
import tal_search.localization.proposal_loops, tal_search.metrics.matching_loop
imported = time.perf_counter()
score(data.truth, localize(data.activations, data.truth.classes, Inference()), TIOU, subset="test")
print(imported - began, time.perf_counter() - imported)
"""


class Data(NamedTuple):
    """Ground truth and activations of the same videos."""

    truth: Annotations
    activations: Activations


def release_like(videos: int = VIDEOS, snippets: int = SNIPPETS, classes: int = CLASSES) -> Data:
    """Videos of 4 min with about 16 instances of 3 s and one or two classes each, and noisy activations around them."""
    random = np.random.default_rng(0)
    duration = np.clip(random.lognormal(np.log(162), 0.8, videos), 20, 1700)
    centre = (np.arange(snippets) + 0.5) / snippets
    cas = np.cumsum(random.normal(0, 0.25, (videos, classes + 1, snippets)), axis=2) * 0.3
    cas -= cas.mean(axis=2, keepdims=True)
    attention = random.normal(2, 0.3, (videos, snippets))
    scores = np.full((videos, classes + 1), 0.01)
    rows = []
    for video in range(videos):
        present = random.choice(classes, 1 + (random.random() < 0.17), replace=False)
        scores[video, present] = random.uniform(0.2, 0.45, len(present))
        for _ in range(random.poisson(15.8) + 1):
            length = min(random.lognormal(np.log(3.2), 0.8), duration[video] / 2)
            start = random.uniform(0, duration[video] - length)
            label = random.choice(present)
            rows.append((video, label, start, start + length))
            near = np.exp(-(((centre * duration[video] - start - length / 2) / (0.6 * length)) ** 4))
            cas[video, label] += near * random.uniform(1, 5)
            attention[video] += near * random.uniform(1, 5)
    table = np.array(rows)
    truth = Annotations(
        videos=tuple(f"video_{index:04d}" for index in range(videos)),
        classes=tuple(f"class_{index:02d}" for index in range(classes)),
        video=table[:, 0].astype(np.int64), label=table[:, 1].astype(np.int64), segment=table[:, 2:], duration=duration,
    )  # fmt: skip
    kept = Activations(
        videos=truth.videos, cas=cas, attention=attention, scores=scores,
        duration=duration, frames=np.round(duration * FPS).astype(np.int64),
    ).rounded()  # fmt: skip
    return Data(truth, kept)


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median of `repeats` calls."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def assert_equal(ours: tuple[Detections, DetectionScores], theirs: tuple[Detections, DetectionScores]) -> None:
    for name in ("video", "label", "segment", "score"):
        assert np.array_equal(getattr(ours[0], name), getattr(theirs[0], name)), f"{name} of detections differ"
    assert ours[1] == theirs[1], "scores differ"


def compare(data: Data) -> float:
    """Print seconds of localizing, scoring and both, compiled and in NumPy; returns the time of both in NumPy."""
    truth, activations = data
    theirs = reference_localization.localize(activations, truth.classes, Inference())
    assert_equal(
        (localize(activations, truth.classes, Inference()), score(truth, theirs, TIOU, subset="test")),
        (theirs, reference_scoring.score(truth, theirs, TIOU, subset="test")),
    )
    print(f"{len(theirs.score)} detections, {len(truth.label)} instances, {len(TIOU)} tIoU: s, median of {REPEATS}")
    print(f"{'':10}{'compiled':>10}{'NumPy':>10}{'ratio':>8}")
    localizers = localize, reference_localization.localize
    scorers = score, reference_scoring.score
    localizing = [seconds(partial(call, activations, truth.classes, Inference())) for call in localizers]
    scoring = [seconds(partial(call, truth, theirs, TIOU, subset="test")) for call in scorers]
    both = [sum(pair) for pair in zip(localizing, scoring, strict=True)]
    for name, (ours, plain) in {"localize": localizing, "score": scoring, "both": both}.items():
        print(f"{name:10}{ours:10.4f}{plain:10.4f}{plain / ours:7.1f}x")
    return both[1]


def many(data: Data, numpy_s: float) -> None:
    """Print the time per setting of the grid; numpy_s: seconds of one setting in NumPy."""
    settings = sorted(GRID, key=proposal_key)
    began = time.perf_counter()
    for detections in localize_many(data.activations, data.truth.classes, settings):
        score(data.truth, detections, TIOU, subset="test")
    each = (time.perf_counter() - began) / len(settings)
    print(
        f"{len(settings)} settings from stored activations: {1000 * each:.1f} ms per setting "
        f"({1000 * numpy_s:.0f} ms one by one in NumPy, {numpy_s / each:.0f}x)"
    )


def first_calls() -> None:
    """Print the start-up time of a new process, before and after the compiled code is cached on disk."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nothing compiled", "compiled code cached"):
            done = subprocess.run(
                [sys.executable, "-c", FIRST_CALL],
                env={**os.environ, "NUMBA_CACHE_DIR": folder}, check=True, capture_output=True, text=True,
            )  # fmt: skip
            imported, called = map(float, done.stdout.split())
            print(f"a new process, {name}: {imported:.2f} s to import Numba, {called:.2f} s to its first scores")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        print(f"compiled code on disk: {size / 1000:.0f} kB")


def main() -> None:
    print(f"{machine()}, one used")
    print(f"{VIDEOS} videos, {SNIPPETS} snippets")
    data = release_like()
    many(data, compare(data))
    first_calls()


if __name__ == "__main__":
    main()
