"""Real fits of a small network on a small simulated set, for tests of what a trial does and keeps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.localization.inference import Inference
from tal_search.methods.backtal import Hyperparameters
from tal_search.trial.code_version import code_version
from tal_search.trial.folder import TrialFolder
from tal_search.trial.run import run_trial
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import BACKGROUND_CLICKS, VIDEO_LABELS

TIOU = (0.3, 0.5)


def make_data() -> DatasetSpec:
    return find("thumos14", "simulated", None, None, None, 60, Simulation(train_videos=40, test_videos=20, channels=12))


def make_spec(dataset: DatasetSpec, *, selection: str = "last", seed: int = 0, **hyperparameters: Any) -> TrialSpec:
    settings = {"epochs": 6, "learning_rate": 5e-3, "dropout": 0.5, "batch_size": 8, **hyperparameters}
    return TrialSpec(
        method="backtal",
        code_version=code_version("backtal", "simulated"),
        hyperparameters=dataclasses.asdict(Hyperparameters(**settings)),
        inference=dataclasses.asdict(Inference(class_threshold=0.04)),
        protocol={
            "evaluation": "activitynet", "tiou": list(TIOU), "selection": selection, "holdout_fraction": 0.3,
            "holdout_seed": 0, "evaluate_every": 2,
        },
        supervision=(VIDEO_LABELS, BACKGROUND_CLICKS), dataset=dataset, annotator="A1",
        seed=seed, precision="float32", cell={},
    )  # fmt: skip


def run(spec: TrialSpec, folder: Path, **options: Any) -> TrialResult:
    for _ in run_trial(spec, TrialFolder(folder), device="cpu", **options):
        pass
    result = TrialFolder(folder).result()
    assert result is not None
    return result


def numbers(result: TrialResult) -> dict[str, Any]:
    """A result without the seconds that it took."""
    return {**result.to_json(), "seconds": 0, "scoring_seconds": 0}
