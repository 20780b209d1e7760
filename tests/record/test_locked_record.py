"""A record that another process has locked: trials go on, nothing is acknowledged, and then all is there, once."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tal_search.errors import TalSearchError
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan
from tal_search.proposers.events import Event, Finished
from tal_search.record import retry
from tal_search.record.retry import PatientStorage
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.sampled_plans import SPACE, sampled_plan, states
from tests.support.small_plans import cell_spec, plan_of, recorded
from tests.support.small_trials import counting_trial, history
from tests.support.waiting import DEADLINE, wait_for

EPOCHS, EPOCH_SECONDS = 10, 0.1
HOLDER = """
import sqlite3, sys
holder = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=float(sys.argv[2]))
holder.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
holder.execute("ROLLBACK")
"""


class Holder:
    """A handler of events that has another process lock the record once so many trials have finished.

    It is locked until `enough`, asked from then on, or for good where that is None.
    """

    def __init__(self, record: Path, enough: Callable[[], object] | None, after: int = 1) -> None:
        self.record, self.enough, self.after = record, enough, after
        self.finished: list[str] = []  # what was acknowledged
        self.before: list[str] = []  # what was by the time the record was to be free again
        self.released = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.finished.append(event.spec.key)
            if len(self.finished) == self.after:
                command = [sys.executable, "-c", HOLDER, str(self.record), str(DEADLINE)]
                self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                assert self.process.stdout is not None
                assert self.process.stdout.readline() == "locked\n"
                threading.Thread(target=self._release).start()

    def _release(self) -> None:
        if self.enough is not None:
            assert self.process.stdin is not None
            try:
                wait_for(self.enough)
                self.before = list(self.finished)
                self.released = True
            finally:
                self.process.stdin.close()

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


def check_that_trials_go_on(plan: Plan, *, after: int = 1, meanwhile: int = 2) -> list[str]:
    """Run the study, the record locked after so many trials until so many more were trained; what the user was told."""
    said: list[str] = []
    results = plan.study.runs / "trials"

    def enough() -> bool:
        return len(list(results.glob("*/result.json"))) >= after + meanwhile and bool(said)

    with Holder(plan.study.runs / plan.study.name / "record.db", enough, after) as holder:
        outcome = run_study(plan, trial=counting_trial, on_event=holder, say=said.append)
    assert holder.released
    assert outcome.failed == {}
    assert len(holder.before) == after, "nothing is acknowledged that the record does not have"
    assert sorted(holder.finished) == sorted(outcome.finished), "each is acknowledged once, then"
    assert sorted(recorded(plan)) == sorted(("COMPLETE", key) for key in outcome.finished)
    for trial in outcome.trials.values():
        folder = TrialFolder.of(plan.study.runs, trial.spec.key)
        assert history(folder, "epoch") == [f"epoch {epoch}" for epoch in range(1, EPOCHS + 1)]
    return said


def test_a_sampler_goes_on_while_the_record_is_locked(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler="tpe", space=SPACE, trials=7, epochs=EPOCHS, seconds=EPOCH_SECONDS)
    said = check_that_trials_go_on(plan)
    assert states(plan) == ["COMPLETE"] * 7
    assert said[0].startswith("the record cannot be written (")
    assert "database is locked" in said[0]
    assert said[1:] == ["the record is back, and has all that waited for it"]


def test_a_study_that_ends_before_its_record_is_free_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes, flush = list[float](), PatientStorage.flush

    def flushed(storage: PatientStorage, seconds: float = math.inf) -> int:
        flushes.append(seconds)
        return flush(storage, seconds)

    monkeypatch.setattr(PatientStorage, "flush", flushed)
    plan = plan_of(tmp_path, [cell_spec(0), cell_spec(1)])
    last = TrialFolder.of(tmp_path, plan.trials[-1].spec.key)
    with Holder(tmp_path / "grid" / "record.db", lambda: last.result() and flushes) as holder:
        outcome = run_study(plan, trial=counting_trial, on_event=holder)
    assert holder.finished == list(outcome.finished)
    assert holder.before == holder.finished[:1]
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

    with Holder(tmp_path / "grid" / "record.db", None) as holder:
        outcome = run_study(plan, trial=interrupted, on_event=holder)
        assert holder.process.poll() is None, "it is locked still"
    assert outcome.interrupted == 130
    assert "The record could not be written" in outcome.messages[0]
    assert holder.finished == [cell_spec(0).key]
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
    with Holder(tmp_path / "grid" / "record.db", None) as holder, pytest.raises(TalSearchError, match=away):
        run_study(plan, trial=counting_trial, on_event=holder)
    assert run_study(plan, trial=counting_trial).cached == 2
