"""A trial's folder: its specification and how the trial ended, read back from files of any age and condition."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialOutcome
from tests.support.paths import FIXTURES
from tests.support.small_trials import make_result, make_spec

SPEC = make_spec(3, cell={"lambda_sep": 0.5})


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    folder = TrialFolder.of(tmp_path, SPEC.key)
    folder.write_spec(replace(SPEC, settings=({"nms": 0.3},)))
    return folder


def test_a_specification_is_read_back_without_the_settings_of_a_study(folder: TrialFolder) -> None:
    assert folder.spec() == SPEC
    assert json.loads((folder.path / "spec.json").read_text())["key"] == SPEC.key


def test_folders_of_version_0_1_0_have_their_specifications_and_are_finished() -> None:
    folders = [TrialFolder(path) for path in sorted((FIXTURES / "runs_of_0_1_0" / "runs" / "trials").iterdir())]
    specs = [folder.spec() for folder in folders]
    assert [spec.key for spec in specs if spec is not None] == [folder.path.name for folder in folders]
    assert {folder.outcome().state for folder in folders} == {"finished"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"key": "a"}', '{"key": "a", "dataset": 1, "supervision": []}'])
def test_a_damaged_specification_is_none(text: str, folder: TrialFolder) -> None:
    (folder.path / "spec.json").write_text(text)
    assert folder.spec() is None
    (folder.path / "spec.json").unlink()
    assert folder.spec() is None


def test_a_field_of_another_version_or_a_value_without_a_key_is_none(folder: TrialFolder) -> None:
    content = json.loads((folder.path / "spec.json").read_text())
    for other in ({"future": 1}, {"seed": float("nan")}):
        (folder.path / "spec.json").write_text(json.dumps({**content, **other}))
        assert folder.spec() is None


@pytest.mark.parametrize("outcome", [TrialOutcome("failed", reason="diverged at epoch 3"), TrialOutcome("pruned")])
def test_how_a_trial_ended_is_kept_until_it_is_tried_again(outcome: TrialOutcome, folder: TrialFolder) -> None:
    assert folder.outcome() == TrialOutcome("unfinished")
    folder.write_outcome(outcome)
    assert folder.outcome() == outcome
    folder.forget_outcome()
    folder.forget_outcome()
    assert folder.outcome() == TrialOutcome("unfinished")


def test_a_result_counts_more_than_the_failure_before_it(folder: TrialFolder) -> None:
    folder.write_outcome(TrialOutcome("failed", reason="out of memory"))
    folder.write_result(make_result(SPEC))
    assert folder.outcome() == TrialOutcome("finished", make_result(SPEC))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"state": "failed"}', '{"state": "lost", "reason": ""}'])
def test_a_damaged_outcome_is_unfinished(text: str, folder: TrialFolder) -> None:
    (folder.path / "outcome.json").write_text(text)
    assert folder.outcome() == TrialOutcome("unfinished")


def test_a_folder_that_cannot_be_written_has_no_outcome_and_raises_nothing(folder: TrialFolder) -> None:
    shutil.rmtree(folder.path)
    folder.path.write_text("a file where the folder should be")
    folder.write_outcome(TrialOutcome("failed", reason="out of memory"))
    assert folder.outcome() == TrialOutcome("unfinished")


def test_results_at_further_settings_have_no_best_epoch_on_test(folder: TrialFolder) -> None:
    assert folder.results() == {}
    folder.write_result(make_result(SPEC))
    folder.write_settings(
        {"a": {"inference": {"nms": 0.3}, "mAP": (0.3, 0.2, 0.1), "holdout_mAP": None, "detections": 2}}
    )
    own, other = folder.results()[None], folder.results()["a"]
    assert own == make_result(SPEC)
    assert (other.mAP, other.detections, other.best_on_test_mAP) == ((0.3, 0.2, 0.1), 2, None)
