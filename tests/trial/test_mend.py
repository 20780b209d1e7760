"""Damaged files of a finished trial are set aside with a sentence, and made again without training where possible."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from tal_search.errors import LISTED
from tal_search.files.checked import Unreadable
from tal_search.files.lock_file import open_locked
from tal_search.trial.folder import TrialFolder
from tal_search.trial.mend import listed, mend
from tal_search.trial.trial_types import TrialResult
from tests.support.small_trials import make_result, make_spec

SPEC = make_spec(1)
RESULT = make_result(SPEC)
SCORED = {"inference": {"nms": 0.3}, "mAP": [0.3, 0.2, 0.1], "holdout_mAP": None, "detections": 2}


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    folder = TrialFolder.of(tmp_path, SPEC.key)
    folder.write_spec(SPEC)
    for name in ("epochs.parquet", "checkpoint.pt", "detections.json"):
        (folder.path / name).write_text(name)
    folder.scores.write_text(json.dumps({"tiou": RESULT.tiou, "mAP": RESULT.mAP, "per_class": {}}))
    folder.write_settings({"a": SCORED})
    folder.write_result(RESULT)
    return folder


def names(folder: TrialFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir() if "damaged" in path.name}


def test_nothing_is_done_to_a_whole_trial_or_an_unfinished_one(folder: TrialFolder, tmp_path: Path) -> None:
    assert mend(folder, SPEC, RESULT) == []
    assert mend(TrialFolder.of(tmp_path, "0" * 20), SPEC) == []
    assert names(folder) == set()


@pytest.mark.parametrize("name", ["epochs.parquet", "checkpoint.pt", "detections.json", "scores.json"])
def test_a_damaged_file_is_kept_and_the_trial_is_unfinished(name: str, folder: TrialFolder) -> None:
    (folder.path / name).write_text("other")
    for dry in (True, False):
        (sentence,) = mend(folder, SPEC, RESULT, dry=dry)
        assert sentence.startswith(f"{folder.path / name} is damaged (it has 5 bytes instead of ")
        assert sentence.endswith("; the trial is trained again")
        assert names(folder) == (set() if dry else {f"{name}.damaged", "result.json.damaged"})
    assert (folder.path / f"{name}.damaged").read_text() == "other"
    assert folder.result() is None


def test_a_missing_file_is_named_too(folder: TrialFolder) -> None:
    folder.detections.unlink()
    assert mend(folder, SPEC) == [f"{folder.detections} is damaged (it is missing); the trial is trained again"]
    assert names(folder) == {"result.json.damaged"}


@pytest.mark.parametrize("text", ["", "{", None])
def test_a_result_is_written_again_from_the_record_if_the_scores_agree(text: str | None, folder: TrialFolder) -> None:
    path = folder.path / "result.json"
    path.unlink() if text is None else path.write_text(text)
    (sentence,) = mend(folder, SPEC, RESULT)
    assert sentence.startswith(f"{path} is damaged (it ")
    assert sentence.endswith("it is written again from the record")
    assert folder.result() == RESULT
    assert names(folder) == (set() if text is None else {"result.json.damaged"})
    assert mend(folder, SPEC, RESULT) == []


def test_a_result_is_not_written_again_beside_files_that_were_set_aside(folder: TrialFolder) -> None:
    """The trial waits to be trained again: its result would stand for files that are missing."""
    folder.write_result(RESULT)
    folder.cas.write_text("damaged")
    folder.write_result(RESULT)
    folder.cas.write_text("other")
    assert len(mend(folder, SPEC, RESULT)) == 1
    assert [sentence.split("; ")[-1] for sentence in mend(folder, SPEC, RESULT)] == ["the trial is trained again"]
    assert folder.result() is None


def test_a_result_is_trained_again_if_no_record_has_it_or_the_scores_are_others(folder: TrialFolder) -> None:
    other = TrialResult.from_json({**RESULT.to_json(), "mAP": [0.9, 0.9, 0.9]})
    for recorded in (None, other):
        (folder.path / "result.json").write_text("{")
        (sentence,) = mend(folder, SPEC, recorded)
        assert sentence.endswith("the trial is trained again")
        assert folder.result() is None
    folder.scores.unlink()
    (folder.path / "result.json").write_text("{")
    assert mend(folder, SPEC, RESULT)[0].endswith("the trial is trained again")


def test_settings_are_scored_again_and_the_specification_is_written_again(folder: TrialFolder) -> None:
    folder.scored_settings.write_text("{")
    spec = folder.path / "spec.json"
    spec.write_text(spec.read_text().replace("a test's own", "another text"))
    settings, specification = mend(folder, SPEC)
    assert settings.endswith("it is kept as settings.json.damaged; its settings are scored again")
    assert specification.endswith("it is kept as spec.json.damaged; it is written again")
    assert (folder.spec(), folder.result()) == (SPEC, RESULT)
    spec.unlink()
    assert mend(folder, SPEC) == [f"{spec} is damaged (it is missing); it is written again"]
    assert mend(folder, SPEC) == []


@pytest.mark.parametrize("dry", [True, False])
def test_a_file_that_cannot_be_read_now_is_not_set_aside(
    dry: bool, folder: TrialFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        with pytest.raises(Unreadable, match=r"result\.json cannot be read \(Too many open files\)"):
            mend(folder, SPEC, RESULT, dry=dry)
    assert names(folder) == set()
    assert folder.result() == RESULT


@pytest.mark.parametrize("dry", [True, False])
def test_the_files_of_a_working_process_are_left_alone(dry: bool, folder: TrialFolder) -> None:
    """Between its epochs and its result, a fit is unfinished, not damaged."""
    (folder.path / "result.json").unlink()
    file, free = open_locked(folder.path / "lock")
    with file:
        assert free
        assert mend(folder, SPEC, dry=dry) == []
    assert len(mend(folder, SPEC, dry=dry)) == 1


def test_no_folder_or_lock_is_made_for_a_look(folder: TrialFolder, tmp_path: Path) -> None:
    assert mend(TrialFolder.of(tmp_path, "0" * 20), SPEC) == []
    folder.detections.unlink()
    assert len(mend(folder, SPEC, dry=True)) == 1
    assert not (folder.path / "lock").exists()
    assert not TrialFolder.of(tmp_path, "0" * 20).path.exists()


def test_many_sentences_are_counted() -> None:
    assert listed(["a"] * LISTED) == ["a"] * LISTED
    assert listed(["a"] * (LISTED + 2)) == [*["a"] * LISTED, "and 2 more damaged files like these"]
