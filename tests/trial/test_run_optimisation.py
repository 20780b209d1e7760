"""Options of optimisation in a whole trial: its scores, its files, its key, and an interruption."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import load
from tal_search.localization.activations import Activations
from tal_search.trial.folder import TrialFolder
from tal_search.trial.loop import build
from tal_search.trial.run import Progress, run_trial
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import BACKGROUND_CLICKS
from tests.support.optimised_fits import EVERY, OPTIONS
from tests.support.small_fits import make_data, make_spec, numbers, run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def dataset() -> DatasetSpec:
    return make_data()


def test_every_option_is_part_of_the_key(dataset: DatasetSpec) -> None:
    specs = [make_spec(dataset, **options) for options in ({}, *OPTIONS.values(), EVERY)]
    specs.append(make_spec(dataset, schedule="cosine", final_rate=0.5))
    specs.append(make_spec(dataset, schedule="cosine", final_rate=0.25))
    assert len({spec.key for spec in specs}) == len(specs)


@pytest.mark.parametrize("selection", ["last", "holdout"])
def test_an_interrupted_trial_with_every_option_ends_as_an_uninterrupted_one(
    dataset: DatasetSpec, tmp_path: Path, selection: str
) -> None:
    spec = make_spec(dataset, selection=selection, **EVERY)
    whole = run(spec, tmp_path / "whole")
    folder = TrialFolder(tmp_path / "parts")
    for stop_after in (1, 3):
        steps = run_trial(spec, folder, device="cpu", checkpoint_every_seconds=1e9)
        for _ in range(stop_after):
            next(steps)
        steps.close()
    assert numbers(run(spec, folder.path)) == numbers(whole)
    epochs = [TrialFolder(tmp_path / name).epoch_reports() for name in ("whole", "parts")]
    kept = [[(report.losses, report.scores) for report in each] for each in epochs]
    assert kept[0] == kept[1]
    saved = [torch.load(TrialFolder(tmp_path / name).checkpoint, weights_only=True) for name in ("whole", "parts")]
    assert saved[0]["epoch"] == saved[1]["epoch"]
    assert all(torch.equal(tensor, saved[1]["state_dict"][name]) for name, tensor in saved[0]["state_dict"].items())


@pytest.mark.parametrize("selection", ["last", "holdout"])
def test_scores_detections_activations_and_checkpoint_are_those_of_the_averaged_weights(
    dataset: DatasetSpec, tmp_path: Path, selection: str
) -> None:
    """A loop over the epochs that averages by hand; its best epoch, or its last, is the trial's."""
    spec = make_spec(dataset, selection=selection, ema_decay=0.9)
    result = run(spec, tmp_path / "trial")
    saved = torch.load(TrialFolder(tmp_path / "trial").checkpoint, weights_only=True)
    data = load(dataset, "A1", (BACKGROUND_CLICKS,))
    progress, _ = Progress.open(spec, TrialFolder(tmp_path / "other"), data, "cpu")
    evaluated, reports = [], []
    for _ in range(6):
        reports.append(progress.next_epoch())
        evaluated.append(progress.fit.evaluated_weights())
    raw, chosen = progress.fit.weights(), evaluated[result.selected_epoch - 1]
    assert all(torch.equal(tensor, chosen[name]) for name, tensor in saved["state_dict"].items())
    assert not any(torch.equal(tensor, raw[name]) for name, tensor in saved["state_dict"].items())
    for weights, same in ((chosen, True), (raw, False)):
        method = build(spec, data)
        method.network.load_state_dict(weights)
        cas = method.activations(data.test).rounded().cas  # type: ignore[attr-defined]
        kept = Activations.load(TrialFolder(tmp_path / "trial").cas).cas
        assert np.array_equal(kept, cas) is same
    watched = {"last": "test", "holdout": "holdout"}[selection]
    scored = result.mAP if selection == "last" else result.holdout_mAP
    assert scored is not None
    assert reports[result.selected_epoch - 1].scores[f"{watched}/mAP/0.5"] == scored[1]


def test_a_finished_trial_of_a_long_average_differs_from_one_without(dataset: DatasetSpec, tmp_path: Path) -> None:
    def trial(name: str, **options: Any) -> tuple[TrialSpec, TrialResult]:
        spec = make_spec(dataset, **options)
        return spec, run(spec, tmp_path / name)

    (plain_spec, plain), (averaged_spec, averaged) = trial("plain"), trial("averaged", ema_decay=0.99)
    assert plain.mAP != averaged.mAP
    losses = [[e.losses for e in TrialFolder(tmp_path / name).epoch_reports()] for name in ("plain", "averaged")]
    assert losses[0] == losses[1]
    again = dataclasses.replace(averaged_spec, hyperparameters={**averaged_spec.hyperparameters, "ema_decay": None})
    assert again.key == plain_spec.key
