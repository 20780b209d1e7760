"""While another process locks the record, trials continue unacknowledged; then each result is written once."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from tal_search.errors import TalSearchError
from tal_search.execution.driver import run_study
from tal_search.proposers.events import Event, Finished
from tal_search.record import retry
from tal_search.record.retry import Operations
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.chaos_driver import counting
from tests.support.leased_driver import TRIALS, plan_on
from tests.support.locked_records import EPOCHS, Holder, check_that_trials_go_on
from tests.support.postgres_server import Server
from tests.support.sampled_plans import SPACE, sampled_plan, states
from tests.support.small_plans import cell_spec, plan_of, recorded
from tests.support.small_records import trials_of
from tests.support.small_trials import counting_trial, history
from tests.support.waiting import wait_for


def test_a_sampler_goes_on_while_the_record_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "WARN_SECONDS", 0.3)
    plan = sampled_plan(tmp_path, sampler="tpe", space=SPACE, trials=7, epochs=EPOCHS, seconds=0.03)
    said = check_that_trials_go_on(plan)
    assert states(plan) == ["COMPLETE"] * 7
    assert said[0].startswith("the record cannot be written (")
    assert "database is locked" in said[0]
    assert said[1:] == ["the record can be written again, and has every result"]


def test_a_study_that_ends_before_its_record_is_free_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes, flush = list[float](), Operations.flush

    def flushed(operations: Operations, seconds: float = math.inf) -> int:
        flushes.append(seconds)
        return flush(operations, seconds)

    monkeypatch.setattr(Operations, "flush", flushed)
    plan = plan_of(tmp_path, [cell_spec(0), cell_spec(1)])
    last = TrialFolder.of(tmp_path, plan.trials[-1].spec.key)
    with Holder(tmp_path / "grid" / "record.db", lambda: last.result() and flushes) as holder:
        outcome = run_study(plan, trial=counting_trial, on_event=holder)
    assert holder.finished == list(outcome.finished)
    assert holder.before == holder.finished[:1]
    assert recorded(plan) == [("COMPLETE", key) for key in outcome.finished]


def test_ctrl_c_does_not_wait_for_a_locked_record_and_the_next_command_completes_it(
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
    away = r"database was unavailable .*locked.*run the same command again"
    with Holder(tmp_path / "grid" / "record.db", None) as holder, pytest.raises(TalSearchError, match=away):
        run_study(plan, trial=counting_trial, on_event=holder)
    assert run_study(plan, trial=counting_trial).cached == 2


def test_trials_go_on_while_a_table_is_locked_on_postgresql(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", server.password)
    monkeypatch.setattr(retry, "WARN_SECONDS", 0.2)
    said, url, finished = list[str](), server.new_database(), list[str]()
    other = sqlalchemy.create_engine(url)

    def results() -> int:
        return len(list((tmp_path / "trials").glob("*/result.json")))

    def lock(event: Event) -> None:
        if isinstance(event, Finished):
            finished.append(event.spec.key)
            if len(finished) == 1:
                connection = other.connect()
                connection.execute(sqlalchemy.text("LOCK TABLE trials IN EXCLUSIVE MODE"))
                threading.Thread(target=lambda: (wait_for(lambda: results() >= 3 and said), connection.close())).start()

    outcome = run_study(plan_on(url, tmp_path), trial=counting, on_event=lock, say=said.append)
    other.dispose()
    assert len(outcome.finished) == len(finished) == TRIALS
    assert "lock timeout" in said[0]
    assert said[1] == "the record can be written again, and has every result"
    assert [trial.state.name for trial in trials_of(url, "thumos_search")] == ["COMPLETE"] * TRIALS
