"""Real fits that detect nothing, or nothing of some classes: they say why, or fail as diverged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.errors import TalSearchError
from tal_search.localization.inference import Inference
from tal_search.trial.folder import TrialFolder
from tal_search.trial.run import run_trial
from tal_search.trial.silence import about_training, require_convergence, silence
from tal_search.trial.trial_types import EpochReport, TrialResult, setting_name
from tal_search.types import Annotations, Detections
from tests.support.small_fits import make_data, make_spec, run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def dataset() -> DatasetSpec:
    return make_data()


def fitted(dataset: DatasetSpec, folder: Path, inference: dict[str, Any], **hyperparameters: Any) -> TrialResult:
    spec = make_spec(dataset, epochs=2, **hyperparameters)
    return run(replace(spec, inference={**spec.inference, **inference}), folder)


def test_a_threshold_above_every_score_is_the_reason(dataset: DatasetSpec, tmp_path: Path) -> None:
    result = fitted(dataset, tmp_path, {"class_threshold": 0.99})
    assert (result.detections, max(result.mAP)) == (0, 0.0)
    assert result.note.startswith("no detections: the highest class score of a video is 0.0")
    trained = ", below inference.class_threshold=0.99; with hyperparameters.learning_rate=0.005 the loss went from "
    assert trained in result.note
    assert result.note.endswith(" in 2 epochs")
    assert TrialResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_a_learning_rate_that_flattens_the_activations_is_in_the_reason(dataset: DatasetSpec, tmp_path: Path) -> None:
    rates = (5.0, 4.0, 2.0, 6.0)  # where it diverges depends on the processor's rounding
    fits = (fitted(dataset, tmp_path / str(rate), {}, learning_rate=rate) for rate in rates)
    result = next(result for result in fits if not result.detections)
    assert "but the activations of these classes are flat or nowhere above 0; with hyperparameters.lear" in result.note


def test_activations_beyond_half_precision_fail_the_trial(dataset: DatasetSpec, tmp_path: Path) -> None:
    with pytest.raises(
        TalSearchError, match=r"diverged by epoch \d: \d+ of 20 videos have activations that are not fin"
    ):
        fitted(dataset, tmp_path, {}, learning_rate=1e4)
    assert TrialFolder(tmp_path).result() is None


def test_a_further_setting_without_detections_keeps_its_reason(dataset: DatasetSpec, tmp_path: Path) -> None:
    spec = make_spec(dataset, epochs=2)
    strict = {**spec.inference, "class_threshold": 0.99}
    folder = TrialFolder(tmp_path)
    for _ in run_trial(replace(spec, settings=(strict, {**spec.inference, "nms": 0.3})), folder, device="cpu"):
        pass
    results = folder.results()
    assert results[setting_name(strict)].note.startswith("no detections: the highest class score of a video is 0.0")
    assert results[None].note == results[setting_name({**spec.inference, "nms": 0.3})].note
    assert "no detections" not in results[None].note


def test_a_result_with_all_detections_is_stored_as_before() -> None:
    result = TrialResult(
        key="k", selected_epoch=1, tiou=(0.5,), mAP=(0.1,), holdout_mAP=None, best_on_test_epoch=None,
        best_on_test_mAP=None, detections=3, parameters=1, seconds=1.0,
    )  # fmt: skip
    assert "note" not in result.to_json()
    assert TrialResult.from_json(result.to_json()) == result


def of_classes(*labels: int) -> tuple[Annotations, Detections]:
    """One instance of each of six classes, and detections of some."""
    names, rows = tuple("ABCDEF"), np.array(labels, np.int64)
    truth = Annotations(
        videos=("v",), classes=names, video=np.zeros(6, np.int64), label=np.arange(6),
        segment=np.tile([0.0, 1.0], (6, 1)), duration=np.array([9.0]),
    )  # fmt: skip
    found = Detections(
        videos=("v",), classes=names, video=np.zeros(len(rows), np.int64), label=rows,
        segment=np.tile([0.0, 1.0], (len(rows), 1)), score=np.ones(len(rows)),
    )  # fmt: skip
    return truth, found


def test_classes_without_a_detection_are_named_and_counted() -> None:
    assert silence(*of_classes(0, 1, 2, 3, 4, 5), None, Inference()) == ""
    assert silence(*of_classes(0, 2, 3, 4, 5), None, Inference()) == "no detection of 1 of 6 classes: B"
    labels = np.ones((2, 6))
    labels[:, 3] = 0
    words = silence(*of_classes(0), None, Inference(), labels)
    assert words == "no detection of 5 of 6 classes: B, C, D (no training video), and 2 more"
    assert silence(*of_classes(), None, Inference()) == "no detections"


def test_training_is_described_by_its_labels_its_rate_and_its_loss() -> None:
    def reports(*losses: float) -> list[EpochReport]:
        return [EpochReport(epoch=1, epochs=1, seconds=1.0, losses={"total": loss}) for loss in losses]

    labels = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert about_training(reports(2.0, 1.0), labels[:1], {"learning_rate": 0.1}) == (
        "with hyperparameters.learning_rate=0.1 the loss went from 2 to 1 in 2 epochs"
    )
    assert about_training(reports(2.0), labels, {}) == (
        "1 of 2 training videos have no label; the loss went from 2 to 2 in 1 epoch, which is no less"
    )
    assert about_training([], labels[1:], {}) == "1 of 1 training videos have no label"


def test_only_what_is_not_finite_is_refused() -> None:
    require_convergence(0, 3, "detections have scores", 1, 0.1)
    with pytest.raises(TalSearchError, match=r"2 of 3 detections have scores that are not finite .* now 0\.1"):
        require_convergence(2, 3, "detections have scores", 1, 0.1)
