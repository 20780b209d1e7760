"""Budgets of time and of trials: the same command continues where they stopped a study."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tal_search.proposers import deadline
from tal_search.proposers.events import Pruned, Reported, Started
from tal_search.trial.folder import TrialFolder
from tests.support.small_plans import cell_spec, plan_of, recorded, run
from tests.support.small_trials import history


def test_the_time_budget_pauses_and_the_same_command_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that an epoch takes a minute on."""
    spec, never = cell_spec(0, epochs=30), cell_spec(1)
    folder = TrialFolder.of(tmp_path, spec.key)
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: 60.0 * len(history(folder, "epoch"))))
    plan = plan_of(tmp_path, [spec, never], minutes=12)
    outcome, events = run(plan)
    assert (outcome.out_of_time, outcome.interrupted) == (True, None)
    assert outcome.finished == outcome.failed == outcome.pruned == {}, "a paused trial is not a pruned one"
    assert outcome.left == 2
    assert Pruned(spec) not in events
    assert Started(never) not in events
    assert len(history(folder, "epoch")) == 12
    assert history(folder)[-1] == "saved"
    assert recorded(plan) == [("RUNNING", spec.key)]

    again, events = run(plan_of(tmp_path, [spec, never]))
    assert set(again.finished) == {spec.key, never.key}
    assert not again.out_of_time
    epochs = [event.report.epoch for event in events if isinstance(event, Reported) and event.spec == spec]
    assert epochs == list(range(13, 31))
    assert recorded(plan) == [("COMPLETE", spec.key), ("COMPLETE", never.key)]


def test_the_trial_budget_of_a_plan_counts_what_earlier_commands_finished(tmp_path: Path) -> None:
    specs = [cell_spec(seed) for seed in range(4)]
    for budget, cached in ((2, 0), (2, 2), (3, 2), (None, 3)):
        outcome, _ = run(plan_of(tmp_path, specs, trials=budget))
        assert outcome.cached == cached
        assert list(outcome.finished) == [spec.key for spec in specs[:budget]]
        assert not outcome.out_of_time
        assert outcome.left == len(specs) - len(outcome.finished)
    assert recorded(plan_of(tmp_path, specs)) == [("COMPLETE", spec.key) for spec in specs]
