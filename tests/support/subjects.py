"""Small datasets whose videos are recordings of subjects, for tests of folds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import find
from tal_search.data.folds import require_folds
from tal_search.data.load import load_truths
from tal_search.data.simulation.videos import Simulation

BY = r"user(\d+)"
CLASSES = ("CliffDiving", "HighJump")
SIMULATION = Simulation(channels=12, action=8.0, noise=0.05)


def write_truth(folder: Path, subjects: int = 6, recordings: int = 2) -> Path:
    """A ground truth of recordings "exp01_user01" and so on, the last third of the subjects in the test subset."""
    database, number = {}, 0
    for subject in range(1, subjects + 1):
        for recording in range(recordings):
            number += 1
            label, other = CLASSES[number % 2], CLASSES[(number + 1) % 2]
            first = 5.0 + subject % 4
            segments = [(first, first + 6, label), (first + 15, first + 20, other), (first + 28, first + 33, label)]
            database[f"exp{number:02d}_user{subject:02d}"] = {
                "subset": "test" if subject > 2 * subjects / 3 else "training",
                "duration": 48.0 + 2 * recording,
                "annotations": [{"segment": [start, end], "label": name} for start, end, name in segments],
            }
    path = folder / "truth.json"
    path.write_text(json.dumps({"database": database}))
    return path


def folded(truth: Path, of: int, fold: int | None = None, by: str = BY, snippets: int = 24) -> DatasetSpec:
    """Simulated features on this timeline, in folds."""
    spec = find("thumos14", "simulated", None, truth, None, snippets, SIMULATION)
    return with_folds(spec, of, fold, by)


def with_folds(spec: DatasetSpec, of: int, fold: int | None = None, by: str = BY) -> DatasetSpec:
    """The dataset in folds over all subjects that `by` finds."""
    subjects = list(require_folds(load_truths(spec), by, of, ("here", "there")))
    return replace(spec, folds={"by": by, "of": of, "subjects": subjects}, fold=fold)
