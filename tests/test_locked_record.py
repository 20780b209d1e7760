"""A record that another process has locked: trials go on, nothing is acknowledged, and then all is there, once."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sampled_plans import SPACE, sampled_plan, states
from small_plans import cell_spec, plan_of, recorded
from small_trials import counting_trial, history, note

from tal_search.errors import TalSearchError
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan
from tal_search.proposers.events import Event, Finished
from tal_search.record import retry
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec

EPOCHS, EPOCH_SECONDS = 10, 0.1
LOCKED_SECONDS = 4.0
LONGEST_GAP = 2.0  # between epochs, whichever trial's: Ray's own change from one trial to the next is in it
HOLDER = """
import sqlite3, sys, time
holder = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
holder.execute("BEGIN IMMEDIATE")
until = time.time() + float(sys.argv[2])
print(until, flush=True)
time.sleep(max(0.0, until - time.time()))
holder.execute("ROLLBACK")
"""


def timed(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport | str]:
    """Counts, and notes the moment of each epoch."""
    for step in counting_trial(spec, folder):
        note(folder, f"at {time.time()}")
        yield step


class Holder:
    """A handler of events that has another process lock the record once so many trials have finished."""

    def __init__(self, record: Path, seconds: float, after: int = 1) -> None:
        self.record, self.seconds, self.after = record, seconds, after
        self.process: subprocess.Popen[str] | None = None
        self.finished: list[tuple[float, str]] = []  # when each was acknowledged

    def __call__(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.finished.append((time.time(), event.spec.key))
            if len(self.finished) == self.after:
                command = [sys.executable, "-c", HOLDER, str(self.record), str(self.seconds)]
                self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                assert self.process.stdout is not None
                with self.process.stdout as said:
                    self.until = float(said.readline())  # by then it is locked
                self.since = time.time()

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def check_that_trials_go_on(plan: Plan, *, after: int = 1) -> list[str]:
    """Run the study, the record locked after so many trials; what the user was told."""
    said: list[str] = []
    with Holder(plan.study.runs / plan.study.name / "record.db", LOCKED_SECONDS, after) as holder:
        outcome = run_study(plan, trial=timed, on_event=holder, say=said.append)
    assert time.time() > holder.until
    assert outcome.failed == {}
    folders = [TrialFolder.of(plan.study.runs, trial.spec.key) for trial in outcome.trials.values()]
    moments = sorted(float(line.split()[1]) for folder in folders for line in history(folder, "at"))
    during = [moment for moment in moments if holder.since < moment < holder.until]
    gaps = [after - before for before, after in itertools.pairwise([holder.since, *during, holder.until])]
    assert max(gaps) < LONGEST_GAP, "training stalls"
    assert not [key for moment, key in holder.finished if holder.since < moment < holder.until]
    assert sorted(key for _, key in holder.finished) == sorted(outcome.finished), "each is acknowledged once, then"
    assert sorted(recorded(plan)) == sorted(("COMPLETE", key) for key in outcome.finished)
    for folder in folders:
        assert history(folder, "epoch") == [f"epoch {epoch}" for epoch in range(1, EPOCHS + 1)]
    return said


def test_a_sampler_goes_on_while_the_record_is_locked(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler="tpe", space=SPACE, trials=7, epochs=EPOCHS, seconds=EPOCH_SECONDS)
    said = check_that_trials_go_on(plan)
    assert states(plan) == ["COMPLETE"] * 7
    assert said[0].startswith("the record cannot be written (")
    assert "database is locked" in said[0]
    assert said[1:] == ["the record is back, and has all that waited for it"]


def test_a_study_that_ends_before_its_record_is_free_waits_for_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [cell_spec(0), cell_spec(1)])
    with Holder(tmp_path / "grid" / "record.db", 2.0) as holder:
        outcome = run_study(plan, trial=counting_trial, on_event=holder)
    assert [key for _, key in holder.finished] == list(outcome.finished)
    assert holder.finished[-1][0] > holder.until
    assert recorded(plan) == [("COMPLETE", key) for key in outcome.finished]


def test_ctrl_c_does_not_wait_for_a_locked_record_and_the_next_command_takes_up_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tal_search.execution.driver.FLUSH_SECONDS", 0.1)
    plan = plan_of(tmp_path, [cell_spec(0), cell_spec(1), cell_spec(2, ends=True)])

    def interrupted(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport | str]:
        for step in counting_trial(spec, folder):
            if "ends" in spec.hyperparameters and isinstance(step, EpochReport) and step.epoch == 2:
                os.kill(os.getpid(), 2)
            yield step

    with Holder(tmp_path / "grid" / "record.db", 60.0) as holder:
        outcome = run_study(plan, trial=interrupted, on_event=holder)
        assert time.time() < holder.until
    assert outcome.interrupted == 130
    assert "The record could not be written" in outcome.messages[0]
    assert [key for _, key in holder.finished] == [cell_spec(0).key]
    again = run_study(plan, trial=counting_trial)
    assert again.cached == 2
    assert recorded(plan) == [("COMPLETE", trial.id) for trial in plan.trials]
    for trial in plan.trials:
        assert len(history(TrialFolder.of(tmp_path, trial.spec.key), "epoch")) == 3


def test_a_record_that_stays_locked_ends_the_study_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "AWAY_SECONDS", 0.5)
    plan = plan_of(tmp_path, [cell_spec(0), cell_spec(1)])
    away = r"database was away .*locked.*run the same command again"
    with Holder(tmp_path / "grid" / "record.db", 60.0) as holder, pytest.raises(TalSearchError, match=away):
        run_study(plan, trial=counting_trial, on_event=holder)
    assert run_study(plan, trial=counting_trial).cached == 2
