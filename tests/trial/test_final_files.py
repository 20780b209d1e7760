"""The files of a finished trial are compared with the checksums in its result; older folders have none."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from tal_search.files.checked import Damaged, Unreadable, set_aside
from tal_search.trial.final_files import FINAL, damage_of, epoch_row, read_result, read_settings, reports_of, stamps_in
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialOutcome, setting_name
from tests.support.small_trials import make_result, make_spec

SPEC = make_spec(1)
SCORED = {"inference": {"nms": 0.3}, "mAP": [0.3, 0.2, 0.1], "holdout_mAP": None, "detections": 2}


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    """A finished trial with every file."""
    folder = TrialFolder.of(tmp_path, SPEC.key)
    folder.write_spec(SPEC)
    folder.write_epochs(
        [EpochReport(epoch=1, epochs=1, seconds=0.1, losses={"total": 1.0}, scores={"test/mAP/0.5": 0.2})]
    )
    for name in FINAL:
        if not (folder.path / name).exists():
            (folder.path / name).write_bytes(name.encode())
    folder.write_result(make_result(SPEC))
    return folder


def test_a_result_lists_every_other_file(folder: TrialFolder) -> None:
    assert read_result(folder.path / "result.json").result == make_result(SPEC)
    assert stamps_in(folder.path).keys() == set(FINAL)
    assert folder.result() == make_result(SPEC)
    assert not list(damage_of(folder.path))


@pytest.mark.parametrize("name", [*FINAL[1:], "result.json"])
def test_a_trial_with_a_damaged_file_is_not_finished_and_the_file_is_named(name: str, folder: TrialFolder) -> None:
    path = folder.path / name
    content = path.read_bytes()
    for broken in (content[:-1] + bytes([content[-1] ^ 1]), content[:-1], b""):
        path.write_bytes(broken)
        assert folder.result() is None
        assert [error.path for error in damage_of(folder.path)] == [path]
    path.unlink()
    assert folder.result() is None
    assert [error.path for error in damage_of(folder.path)] == ([] if name == "result.json" else [path])
    path.write_bytes(content)
    assert folder.result() == make_result(SPEC)


def test_a_file_that_cannot_be_read_now_is_read_again(folder: TrialFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is neither kept in a cache, nor does it make the trial unfinished."""

    def fail(_: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        for use in (folder.result, folder.spec, folder.settings, lambda: list(damage_of(folder.path))):
            with pytest.raises(Unreadable, match=r"json cannot be read \(Input/output error\)"):
                use()
    assert folder.result() == make_result(SPEC)


def test_the_specification_is_covered_beyond_its_key(folder: TrialFolder) -> None:
    path = folder.path / "spec.json"
    assert folder.spec() == SPEC
    path.write_text(path.read_text().replace("a test's own", "another text"))
    assert folder.spec() is None
    assert folder.result() == make_result(SPEC), "its numbers do not depend on it"


def test_the_specification_of_a_failed_trial_is_covered_by_its_outcome(folder: TrialFolder) -> None:
    set_aside(folder.path / "result.json")
    path = folder.path / "spec.json"
    folder.write_outcome(TrialOutcome("failed", reason="diverged"))
    assert folder.outcome() == TrialOutcome("failed", reason="diverged")
    path.write_text(path.read_text().replace("a test's own", "another text"))
    assert folder.spec() is None


def test_a_specification_whose_key_is_another_is_none(tmp_path: Path) -> None:
    folder = TrialFolder.of(tmp_path, SPEC.key)
    folder.write_spec(SPEC)
    path = folder.path / "spec.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 3'))
    assert folder.spec() is None


def test_files_are_verified_when_they_are_used(folder: TrialFolder) -> None:
    assert folder.verified(folder.cas) == folder.cas
    folder.cas.write_bytes(b"other")
    with pytest.raises(
        Damaged, match=r"cas\.npz is damaged \(it has 5 bytes instead of 7\); remove it, and the same `run`"
    ):
        folder.verified(folder.cas)
    folder.epochs.write_bytes(b"other")
    with pytest.raises(Damaged, match=r"epochs\.parquet is damaged"):
        folder.epoch_reports()
    with pytest.raises(Damaged, match=r"settings\.json cannot be read"):
        folder.verified(folder.scored_settings)


def test_older_folders_without_checksums_are_read(folder: TrialFolder) -> None:
    (folder.path / "result.json").write_text(json.dumps({"result": make_result(SPEC).to_json()}))
    folder.scored_settings.write_text(json.dumps({setting_name(SCORED["inference"]): SCORED}))
    assert folder.result() == make_result(SPEC)
    assert folder.verified(folder.cas) == folder.cas
    assert list(folder.settings().values()) == [SCORED]
    folder.scored_settings.write_text(json.dumps({"other": SCORED}))
    with pytest.raises(Damaged, match="its checksum differs"):
        read_settings(folder.scored_settings)
    folder.epochs.write_bytes(b"no parquet")
    with pytest.raises(Damaged, match=r"epochs\.parquet is damaged"):
        folder.epoch_table()


def test_settings_are_read_back(folder: TrialFolder) -> None:
    folder.write_settings({"a": SCORED})
    assert read_settings(folder.scored_settings) == {"a": SCORED}
    folder.scored_settings.write_text(folder.scored_settings.read_text().replace("0.3", "0.9"))
    with pytest.raises(Damaged):
        read_settings(folder.scored_settings)
    assert folder.settings() == {}


def test_rows_of_epochs_are_read_back_without_what_was_not_evaluated() -> None:
    reports = [
        EpochReport(epoch=1, epochs=2, seconds=0.5, losses={"total": 1.0}),
        EpochReport(epoch=2, epochs=2, seconds=0.5, losses={"total": 0.5}, scores={"test/mAP/0.5": 0.2}),
    ]
    rows = [{**dict.fromkeys(epoch_row(reports[1]), float("nan")), **epoch_row(report)} for report in reports]
    assert list(reports_of(rows)) == reports
