"""A detection file with its ground truth, and its scores as the evaluate command computes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tal_search.data.truth.annotations import write_detections
from tal_search.metrics.average_precision import score
from tal_search.trial.evaluate import open_benchmark
from tal_search.types import Detections, DetectionScores


def evaluate_file(
    detections: Path, ground_truth: Path, subset: str, tiou: tuple[float, ...], **rules: Any
) -> DetectionScores:
    benchmark, (found,) = open_benchmark(ground_truth, subset, [detections], **rules)
    return score(benchmark.truth, found, tiou, subset=subset, **benchmark.rules)


def evaluated(tmp_path: Path) -> tuple[Path, Path]:
    """A detection file and its ground truth: one video, one instance, one detection that equals it."""
    truth = {"database": {"v1": {"subset": "test", "annotations": [{"segment": [0, 10], "label": "run"}]}}}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    zero = np.zeros(1, np.int64)
    found = Detections(
        videos=("v1",), classes=("run",), video=zero, label=zero, segment=np.array([[0.0, 10.0]]), score=np.ones(1)
    )
    write_detections(tmp_path / "found.json", found)
    return tmp_path / "found.json", tmp_path / "truth.json"
