"""One trial in a worker: epochs in batches, errors in its log, its folder locked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tal_search.errors import TalSearchError
from tal_search.execution.worker import Work, append_log
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.small_trials import counting_trial, history, make_spec


def work(runs: Path, spec: TrialSpec, trial: object = counting_trial) -> Work:
    return Work(spec, runs, trial)  # type: ignore[arg-type]


def test_epochs_come_one_at_a_time_or_as_many_as_fit_into_the_time(tmp_path: Path) -> None:
    running = work(tmp_path, make_spec())
    assert [report.epoch for report in running.advance().reports] == [1]
    rest = running.advance(60)
    assert [report.epoch for report in rest.reports] == [2, 3]
    assert (rest.finished, rest.failed) == (True, None)


@pytest.mark.parametrize(
    ("error", "reason", "logged"),
    [
        (ValueError("no\nsecond line"), "ValueError: no", "ValueError: no\nsecond line"),
        (TalSearchError("a sentence"), "a sentence", "TalSearchError: a sentence"),
        (
            OSError("no \x1b]0;x\x07 at http://me:xyzzy@host"),
            "OSError: no \\x1b]0;x\\x07 at http://me:***@host", "OSError: no \\x1b]0;x\\x07 at http://me:***@host",
        ),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_its_traceback_is_in_the_log(
    error: Exception, reason: str, logged: str, tmp_path: Path
) -> None:
    def trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport]:
        yield from ()
        raise error

    advance = work(tmp_path, make_spec(), trial).advance()
    assert (advance.finished, advance.failed) == (False, reason)
    log = TrialFolder.of(tmp_path, make_spec().key).log.read_text()
    assert "in trial" in log
    assert "\x1b" not in log
    assert "xyzzy" not in log
    assert log.rstrip("\n").endswith(logged)


def test_a_trial_that_ends_without_a_result_has_failed(tmp_path: Path) -> None:
    def trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport]:
        yield from ()

    failed = work(tmp_path, make_spec(), trial).advance().failed
    assert failed == "RuntimeError: the trial ended without a result for every wanted setting"


def test_a_trial_that_another_worker_holds_is_neither_trained_nor_reported(tmp_path: Path) -> None:
    spec = make_spec()
    holder, other = work(tmp_path, spec), work(tmp_path, spec)
    holder.advance()
    assert other.advance().reports == ()
    holder.close()
    assert [report.epoch for report in other.advance(60).reports] == [2, 3]
    assert history(TrialFolder.of(tmp_path, spec.key), "epoch") == ["epoch 1", "epoch 2", "epoch 3"]


def test_a_log_keeps_what_it_has(tmp_path: Path) -> None:
    folder = TrialFolder.of(tmp_path, "key")
    append_log(folder, "first")
    append_log(folder, "second")
    assert folder.log.read_text() == "first\nsecond\n"
