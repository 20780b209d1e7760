"""Selection by held-out training videos: the test split is scored once, after the epoch is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import load
from tal_search.data.splits import holdout_split, restrict
from tal_search.errors import InputError
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tal_search.trial.folder import TrialFolder
from tal_search.trial.loop import build
from tal_search.trial.run import run_trial
from tal_search.trial.trial_types import EpochReport
from tal_search.types import BACKGROUND_CLICKS
from tests.support.small_fits import make_data, make_spec, run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def dataset() -> DatasetSpec:
    return make_data()


def test_holdout_selection_reads_held_out_training_videos_and_the_test_split_once_at_the_end(
    dataset: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []

    def listed(*given: Any, **named: Any) -> Any:
        scored.append(named["subset"])
        return score(*given, **named)

    monkeypatch.setattr("tal_search.trial.run.score", listed)
    spec, folder = make_spec(dataset, selection="holdout", epochs=8), TrialFolder(tmp_path / "trial")
    for step in run_trial(spec, folder, device="cpu"):
        assert isinstance(step, EpochReport)
        assert not any("test" in name for name in step.scores)
        assert set(scored) <= {"holdout"}, "no epoch is scored on the test split"
    assert scored[:4] == ["holdout"] * 4
    assert scored.count("test") == 1
    assert scored[-1] == "test"
    result = folder.result()
    assert result is not None
    assert (result.best_on_test_epoch, result.best_on_test_mAP) == (None, None)
    assert result.holdout_mAP is not None
    curve = {r.epoch: r.scores for r in folder.epoch_reports() if r.scores}
    assert list(curve) == [2, 4, 6, 8]
    assert result.holdout_mAP[1] == max(scores["holdout/mAP/0.5"] for scores in curve.values())
    selected = curve[result.selected_epoch]
    assert result.holdout_mAP == (selected["holdout/mAP/0.3"], selected["holdout/mAP/0.5"])
    saved = torch.load(folder.checkpoint, weights_only=True)
    assert saved["epoch"] == result.selected_epoch


def test_kept_activations_of_both_splits_give_the_scores_of_the_selected_epoch(
    dataset: DatasetSpec, tmp_path: Path
) -> None:
    spec, folder = make_spec(dataset, selection="holdout"), TrialFolder(tmp_path / "trial")
    result = run(spec, folder.path)
    data = load(dataset, "A1", (BACKGROUND_CLICKS,))
    held = Activations.load(folder.holdout_cas)
    rows = holdout_split(data.train.labels, 0.3, 0)[1]
    assert held.videos == tuple(data.train.videos[row] for row in rows)
    for activations, truth, mAP in (
        (held, restrict(data.train_truth, held.videos), result.holdout_mAP),
        (Activations.load(folder.cas), data.test_truth, result.mAP),
    ):
        detections = localize(activations, data.classes, Inference(**spec.inference))
        assert score(truth, detections, (0.3, 0.5), subset="any").mAP == mAP
    saved = torch.load(folder.checkpoint, weights_only=True)["state_dict"]
    method = build(spec, data)
    method.network.load_state_dict(saved)
    assert (method.activations(data.test).rounded().cas == Activations.load(folder.cas).cas).all()


def test_a_share_that_holds_out_no_video_is_said() -> None:
    labels = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2]]
    assert len(holdout_split(labels, 0.3, 0)[1]) == 2
    with pytest.raises(InputError, match=r"holdout_fraction is 0\.2, which holds out none of the 5 training videos"):
        holdout_split(labels, 0.2, 0)


def test_holdout_split_is_stratified_and_recorded_by_its_seed(dataset: DatasetSpec) -> None:
    data = load(dataset, "A1", (BACKGROUND_CLICKS,))
    kept, held = holdout_split(data.train.labels, 0.5, 0)
    assert sorted([*kept, *held]) == list(range(40))
    first = data.train.labels.argmax(1)
    videos_of, held_of = (np.bincount(rows, minlength=20) for rows in (first, first[held]))
    assert held_of.tolist() == [max(0, min(round(0.5 * count), count - 1)) for count in videos_of.tolist()]
    assert (holdout_split(data.train.labels, 0.5, 0)[1] == held).all()
    assert (holdout_split(data.train.labels, 0.5, 1)[1] != held).any()
    names = tuple(data.train.videos[row] for row in held)
    truth = restrict(data.train_truth, names)
    wanted = sum(data.train_truth.videos[index] in names for index in data.train_truth.video)
    assert len(truth.label) == wanted > 0
    assert {truth.videos[index] for index in truth.video} <= set(names)
