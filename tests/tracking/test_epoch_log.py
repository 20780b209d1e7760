"""The log of a trial's epochs: appended by the driver, read from any offset."""

from __future__ import annotations

from pathlib import Path

from tal_search.tracking import epoch_log
from tal_search.trial.folder import TrialFolder
from tests.support.mlflow_contents import EPOCHS, reports


def test_epochs_are_read_back_from_an_offset(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "trial")
    assert epoch_log.read(folder) == ({}, 0)
    epoch_log.append(folder, reports(1, 2))
    first, offset = epoch_log.read(folder)
    assert [report for report, _ in first.values()] == list(reports(1, 2))
    epoch_log.append(folder, reports(2, 3))
    later, end = epoch_log.read(folder, offset)
    assert list(later) == [2, 3]
    assert epoch_log.read(folder, end) == ({}, end)
    assert [report for report, _ in epoch_log.read(folder)[0].values()] == list(reports(1, 3))


def test_a_line_cut_short_is_skipped_and_one_being_written_is_left_for_later(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    epoch_log.append(folder, reports(1, 1))
    whole = epoch_log.path_of(folder).read_bytes()
    epoch_log.path_of(folder).write_bytes(whole + b'{"time": 1, "rep')
    assert epoch_log.read(folder)[1] == len(whole)
    epoch_log.append(folder, reports(2, 2))
    assert list(epoch_log.read(folder)[0]) == [1, 2]


def test_the_log_goes_once_the_folder_has_all_epochs(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    epoch_log.append(folder, reports(1, EPOCHS))
    epoch_log.forget(folder)
    assert epoch_log.path_of(folder).exists()
    folder.write_epochs(list(reports(1, EPOCHS)))
    epoch_log.forget(folder)
    assert not epoch_log.path_of(folder).exists()
