"""Real fits of a small network on a small simulated set, for tests of what a trial does and keeps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tal_search.code_version import code_version
from tal_search.data.dataset import find
from tal_search.data.simulation import Simulation
from tal_search.localization import Inference
from tal_search.methods import declaration
from tal_search.trial import run_trial
from tal_search.trial_folder import TrialFolder
from tal_search.types import BACKGROUND_CLICKS, VIDEO_LABELS, DatasetSpec, TrialResult, TrialSpec

TIOU = (0.3, 0.5)


def make_data() -> DatasetSpec:
    return find("thumos14", "simulated", None, None, None, 60, Simulation(train_videos=40, test_videos=20, channels=12))


def make_spec(dataset: DatasetSpec, *, selection: str = "last", seed: int = 0, **hyperparameters: Any) -> TrialSpec:
    module = declaration("backtal")
    settings = {"epochs": 6, "learning_rate": 5e-3, "dropout": 0.5, "batch_size": 8, **hyperparameters}
    return TrialSpec(
        method="backtal",
        code_version=code_version("backtal", "simulated"),
        hyperparameters=dataclasses.asdict(module.Hyperparameters(**settings)),
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
