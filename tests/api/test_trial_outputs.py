"""`TrialOutputs`: detections, activations, scores and epochs of one fit."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search import StudyResults
from tal_search.trial.folder import TrialFolder
from tests.support.small_dashboards import Made


def test_a_trial_has_what_its_fit_kept(study: StudyResults, swept: Made) -> None:
    row = study.trials.iloc[3]
    trial, result = study.trial(row["key"][:10]), TrialFolder.of(swept.runs, row["key"]).result()
    assert result is not None
    assert (trial.key, len(trial.detections)) == (row["key"], result.detections)
    assert set(trial.detections["video"]) <= set(trial.activations.videos)
    assert (trial.detections["end"] > trial.detections["start"]).all()
    assert (trial.truth["end"] <= trial.activations.duration.max()).all()
    assert trial.settings["hyperparameters.kernel_size"] == row["kernel_size"]
    assert (trial.settings["seed"], trial.settings["dataset.source"]) == (row["seed"], "simulated")
    scores = trial.scores
    for tiou, fraction in zip(result.tiou, result.mAP, strict=True):
        name = f"mAP@{tiou:g}"
        assert scores.loc["all classes", name] == pytest.approx(100 * fraction)
        assert scores.iloc[1:][name].mean() == pytest.approx(100 * fraction)
        assert trial.epochs[f"test {name}"].iloc[-1] == pytest.approx(100 * fraction)
    assert trial.epochs["test mAP@0.1:0.9"].iloc[-1] == pytest.approx(scores.loc["all classes"].mean())
    assert np.isfinite(trial.epochs["loss total"]).all()
