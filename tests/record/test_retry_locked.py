"""While another process locks the record, trials continue unacknowledged; then each result is written once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tal_search.errors import TalSearchError
from tal_search.execution.driver import run_study
from tal_search.record import retry
from tal_search.record.retry import RetryingStorage
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.locked_records import EPOCHS, Holder, check_that_trials_go_on
from tests.support.sampled_plans import SPACE, sampled_plan, states
from tests.support.small_plans import cell_spec, plan_of, recorded
from tests.support.small_trials import counting_trial, history


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
    flushes, flush = list[float](), RetryingStorage.flush

    def flushed(storage: RetryingStorage, seconds: float = math.inf) -> int:
        flushes.append(seconds)
        return flush(storage, seconds)

    monkeypatch.setattr(RetryingStorage, "flush", flushed)
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
