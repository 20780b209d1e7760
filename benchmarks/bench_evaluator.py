"""Time of the evaluator on a data set as large as THUMOS14: `python -m benchmarks.bench_evaluator`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from tal_search.config.thresholds import parse_tiou
from tal_search.data.truth.annotations import read_detections, write_detections
from tal_search.metrics.average_precision import score
from tal_search.metrics.comparison import compare
from tal_search.metrics.error_profile import error_profile
from tal_search.types import PROTOCOLS, Annotations, Detections

VIDEOS, CLASSES, INSTANCES, DETECTIONS = 210, 20, 3311, 14_000
REPEATS = 7
PROTOCOL = "activitynet"


def synthetic(detections: int = DETECTIONS) -> tuple[Annotations, Detections]:
    """Videos, classes and instances as in THUMOS14's test set; three quarters of detections are near an instance."""
    rng = np.random.default_rng(0)
    videos = tuple(f"video_{index:04d}" for index in range(VIDEOS))
    classes = tuple(f"class_{index:02d}" for index in range(CLASSES))
    video = rng.integers(0, VIDEOS, INSTANCES)
    label = (video * 7 + rng.integers(0, 2, INSTANCES)) % CLASSES  # one or two classes a video
    start = rng.uniform(0, 200, INSTANCES)
    segment = np.stack([start, start + rng.lognormal(1.1, 0.8, INSTANCES)], axis=1)
    truth = Annotations(
        videos=videos, classes=classes, video=video, label=label, segment=segment, duration=np.full(VIDEOS, 210.0)
    )
    source = rng.integers(0, INSTANCES, detections)
    length = segment[source, 1] - segment[source, 0]
    detected = segment[source] + rng.normal(0, 0.2, (detections, 2)) * length[:, None]
    stray = rng.random(detections) < 0.25
    detected[stray] += rng.uniform(-50, 50, (stray.sum(), 1))
    detected = np.stack([detected.min(1), detected.max(1) + 0.1], axis=1)
    return truth, Detections(
        videos=videos, classes=classes, video=video[source], label=label[source], segment=detected,
        score=rng.random(detections),
    )  # fmt: skip


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Median and maximum seconds of REPEATS calls after a warm-up."""
    call()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken)), max(taken)


def main() -> None:
    truth, detections = synthetic()
    thresholds = parse_tiou("0.1:0.9:0.1")
    size = f"{VIDEOS} videos, {INSTANCES} instances, {DETECTIONS} detections, {len(thresholds)} tIoU"
    print(machine())
    print(f"evaluator, {size}; {REPEATS} runs")
    for protocol in PROTOCOLS:
        median, worst = seconds(partial(score, truth, detections, thresholds, subset="test", protocol=protocol))
        print(f"{protocol}: median {median:.4f} s, slowest {worst:.4f} s")
    comparison: Callable[[], object] = partial(compare, truth, detections, detections, thresholds, protocol=PROTOCOL)
    profile: Callable[[], object] = partial(error_profile, truth, detections, subset="test", protocol=PROTOCOL)
    for name, call in {"comparison with itself, 1 000 draws": comparison, "error profile": profile}.items():
        median, worst = seconds(call)
        print(f"{name}: median {median:.3f} s, slowest {worst:.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detections.json"
        write_detections(path, detections)
        median, worst = seconds(lambda: read_detections(path, truth.classes, truth.videos))
    print(f"reading the same detections from JSON: median {median:.3f} s, slowest {worst:.3f} s")


if __name__ == "__main__":
    main()
