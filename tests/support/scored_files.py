"""Scoring a detection file as the evaluate command does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tal_search.metrics.average_precision import score
from tal_search.trial.evaluate import open_benchmark
from tal_search.types import DetectionScores


def evaluate_file(
    detections: Path, ground_truth: Path, subset: str, tiou: tuple[float, ...], **rules: Any
) -> DetectionScores:
    benchmark, (found,) = open_benchmark(ground_truth, subset, [detections], **rules)
    return score(benchmark.truth, found, tiou, subset=subset, **benchmark.rules)
