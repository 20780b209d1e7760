"""Trials without progress, by a clock of the test's own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tal_search.execution.stalls import LONGEST_POLL, NAMED_SECONDS, Stall, StallWatch, given_up, this_process
from tal_search.files.heartbeat import FILE
from tal_search.trial.folder import TrialFolder
from tests.support.small_trials import make_spec

SPEC = make_spec()


class Watched:
    """A watch of one trial with a clock; `beat` is the trial's heartbeat."""

    def __init__(self, runs: Path, minutes: float | None = 30) -> None:
        self.now, self.steps, self.runs = 0.0, 0, runs
        self.watch = StallWatch(runs, minutes, lambda: self.now)

    def beat(self, doing: str = "epoch 3, step 2 of 13", driver: str | None = None) -> None:
        self.steps += 1
        path = TrialFolder.of(self.runs, SPEC.key).path / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        whose = this_process() if driver is None else driver
        path.write_text(json.dumps({"doing": doing, "device": "GPU 1", "pid": 8, "host": "node", "driver": whose}))
        os.utime(path, ns=(self.steps, self.steps))

    def wait(self, seconds: float, step: float = 1.0) -> list[Stall]:
        stalls = []
        for _ in range(round(seconds / step)):
            self.now += step
            stalls += self.watch.poll([SPEC])
        return stalls


def test_a_trial_is_named_after_a_minute_and_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.beat()
    assert watched.wait(NAMED_SECONDS) == []
    (stall,) = watched.wait(600)
    assert stall.event.text == "no progress for 1 min (last: epoch 3, step 2 of 13; GPU 1, process 8 on node)"
    assert (stall.event.spec, stall.held, stall.due) == (SPEC, False, False)
    watched.beat()
    (stall,) = watched.wait(30)
    assert (stall.event.text, stall.due) == (None, False), "it goes on"


def test_a_slow_trial_that_goes_on_is_never_named(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for _ in range(50):
        watched.beat()
        assert watched.wait(NAMED_SECONDS - 1) == []


def test_a_trial_without_a_heartbeat_is_named_too(tmp_path: Path) -> None:
    (stall,) = Watched(tmp_path).wait(NAMED_SECONDS + 2)
    assert stall.event.text == "no progress for 1 min (its first step has not begun)"


def test_a_trial_is_due_after_the_minutes_of_the_study_and_again_a_minute_later(tmp_path: Path) -> None:
    watched = Watched(tmp_path, 5)
    watched.beat()
    named, due, again = watched.wait(300 + 61)
    assert (named.due, due.due, again.due) == (False, True, True)
    assert due.words == "no progress for 5 min (last: epoch 3, step 2 of 13; GPU 1, process 8 on node)"
    watched.watch.forget(SPEC)
    assert watched.wait(NAMED_SECONDS) == []


@pytest.mark.parametrize("minutes", [0, None])
def test_zero_or_nothing_means_never(minutes: float | None, tmp_path: Path) -> None:
    watched = Watched(tmp_path, minutes)
    watched.beat()
    assert [stall.due for stall in watched.wait(100_000, 10)] == [False]


def test_a_fit_that_a_process_of_another_study_holds_is_named_with_both_processes(tmp_path: Path) -> None:
    watched = Watched(tmp_path, 2)
    watched.beat(driver="process 5 on other")
    named, due = watched.wait(122)
    words = "(last: epoch 3, step 2 of 13; GPU 1, process 8 on node), started by process 5 on other"
    assert named.held
    assert named.event.text == f"another command trains the same fit and made no progress for 1 min {words}"
    assert given_up(due) == (
        f"another command trains the same fit and made no progress for 2 min {words}; end that process, and the next "
        "command trains the fit"
    )


def test_time_in_which_this_process_stood_still_does_not_count(tmp_path: Path) -> None:
    watched = Watched(tmp_path, 30)
    watched.beat()
    assert watched.wait(4 * 3600, 3600) == []
    assert 4 * LONGEST_POLL < NAMED_SECONDS


def test_a_study_that_waits_for_room_on_the_disk_does_not_stall(tmp_path: Path) -> None:
    watched = Watched(tmp_path, 2)
    watched.beat()
    (tmp_path / ".waits-for-500-bytes-1-1").touch()
    assert watched.wait(9, 0.1) == []  # the time of the marker is real, so the clock may not run far
    watched.watch.poll([SPEC])
    watched.now += 1
    for _ in range(300):
        (tmp_path / ".waits-for-500-bytes-1-1").touch()
        watched.now += 1
        assert watched.watch.poll([SPEC]) == []


def test_an_ended_trial_is_forgotten(tmp_path: Path) -> None:
    watched = Watched(tmp_path, 30)
    watched.beat()
    assert len(watched.wait(NAMED_SECONDS + 2)) == 1
    watched.now += 2
    assert watched.watch.poll([]) == []
    assert watched.wait(NAMED_SECONDS) == []
