"""The background thread of a tracker, with copies that hang or fail."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tal_search.files.lock_file import LockLost
from tal_search.tracking.background import BackgroundTracker, NotCopied, Wanted
from tal_search.trial.trial_types import TrialOutcome
from tests.support.mlflow_contents import finished, full_trial, reports
from tests.support.small_trials import make_spec
from tests.support.waiting import DEADLINE, wait_for


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tal_search.tracking.background.FLUSH_SECONDS", 0.05)


class Stuck:
    """A copy in which every call waits until it is let go."""

    where, again, opened = "a place", "tal-search rebuild study=grid", False

    def __init__(self) -> None:
        self.go, self.asked, self.brought = threading.Event(), threading.Event(), list[str]()

    def _wait(self) -> None:
        self.asked.set()
        assert self.go.wait(DEADLINE)

    def open(self) -> None:
        self._wait()
        self.opened = True

    def bring(self, wanted: Wanted) -> None:
        self._wait()
        self.brought.append(wanted.spec.key)

    def close(self, interrupted: bool) -> None:
        self._wait()


def test_no_call_but_the_last_waits_for_a_copy_that_is_stuck(tmp_path: Path) -> None:
    copy, specs = Stuck(), [make_spec(seed) for seed in range(3)]
    tracker = BackgroundTracker(copy, tmp_path, close_seconds=DEADLINE)
    full_trial(tracker, specs[0], tmp_path)
    wait_for(copy.asked.is_set)
    full_trial(tracker, specs[1], tmp_path)  # each of these returns although the copy has not
    tracker.start(specs[2])
    tracker.log(specs[2], reports(1, 1))
    tracker.finish(specs[2], TrialOutcome("failed", reason="diverged"))
    tracker.finish(specs[0], finished(specs[0]))
    assert copy.brought == []
    copy.go.set()
    assert tracker.close() is None
    assert {spec.key for spec in specs} == set(copy.brought)


class Failing:
    """A copy whose calls raise the given errors, in order, then succeed."""

    where, again, opened = "a place", "tal-search rebuild study=grid", True

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.brought, self.ends = list(errors), list[Wanted](), list[bool]()

    def open(self) -> None: ...

    def bring(self, wanted: Wanted) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.brought.append(wanted)

    def close(self, interrupted: bool) -> None:
        self.ends.append(interrupted)


def test_a_failed_call_is_tried_again_with_the_newest_state(tmp_path: Path) -> None:
    copy, spec = Failing(OSError("away"), OSError("away")), make_spec()
    tracker = BackgroundTracker(copy, tmp_path, close_seconds=DEADLINE)
    tracker.start(spec)
    tracker.finish(spec, TrialOutcome("failed", reason="diverged"))
    assert tracker.close() is None
    last = copy.brought[-1]
    assert (last.started, last.outcome) == (True, TrialOutcome("failed", reason="diverged"))
    assert (tracker.failure, copy.ends) == ("", [False])


def test_a_trial_that_was_not_started_had_ended_before_this_command(tmp_path: Path) -> None:
    copy, spec = Failing(), make_spec()
    tracker = BackgroundTracker(copy, tmp_path)
    tracker.log(spec, reports(1, 1))
    tracker.finish(spec, finished(spec))
    assert tracker.close(interrupted=True) is None
    (wanted,) = copy.brought
    assert (wanted.started, wanted.outcome) == (False, finished(spec))
    assert not list(tmp_path.rglob("reported.jsonl")), "reports are kept of started trials only"
    assert copy.ends == [True]


def test_a_trial_that_cannot_be_copied_is_not_retried_and_is_one_sentence(tmp_path: Path) -> None:
    copy, (bad, good) = Failing(NotCopied("epochs.parquet cannot be read\nmore")), (make_spec(0), make_spec(1))
    tracker = BackgroundTracker(copy, tmp_path, close_seconds=DEADLINE)
    for spec in (bad, good):
        tracker.finish(spec, finished(spec))
    message = tracker.close()
    assert message is not None
    assert message.startswith("The copy of this study in a place is incomplete (epochs.parquet cannot be read); ")
    assert [wanted.spec.seed for wanted in copy.brought] == [1]


def test_a_driver_that_lost_its_study_copies_nothing_more(tmp_path: Path) -> None:
    copy, specs, lost = Stuck(), [make_spec(seed) for seed in range(2)], threading.Event()
    copy.go.set()

    def check() -> None:
        if lost.is_set():
            raise LockLost("the study s has been taken over by another driver")

    tracker = BackgroundTracker(copy, tmp_path, check=check)
    full_trial(tracker, specs[0], tmp_path)
    wait_for(lambda: copy.brought)
    lost.set()
    brought = list(copy.brought)
    full_trial(tracker, specs[1], tmp_path)
    assert "the study s has been taken over by another driver" in (tracker.close(interrupted=True) or "")
    assert copy.brought == brought
