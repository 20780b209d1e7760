"""Pruned cells keep their curve in both Optuna studies and a checkpoint, and are not trained any further."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tal_search.execution.running import Outcome
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.proposers.events import Event, Pruned, Reported, Started
from tal_search.proposers.sampled import Sampled
from tal_search.results.ranking import ranking
from tal_search.study import ResourceSettings
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.sampled_plans import SMALL, finish, fits_trained, proposer, run, sampled_plan, states, stored
from tests.support.small_trials import counting_trial, history, make_result
from tests.support.waiting import IMPORTABLE


def quality(spec: TrialSpec) -> float:
    return make_result(spec).holdout_mAP[1]  # type: ignore[index]


def pruned_study(tmp_path: Path, pruner: str, **more: Any) -> tuple[Plan, Outcome, list[Event]]:
    options = {"n_startup_trials": 3} if pruner == "median" else {"reduction_factor": 2}
    plan = sampled_plan(tmp_path, pruner=pruner, pruner_options=options, epochs=8, **{"trials": 16, **more})
    return plan, *run(plan)


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_losers_stop_early_and_are_recorded_with_their_curve(pruner: str, tmp_path: Path) -> None:
    plan, outcome, events = pruned_study(tmp_path, pruner)
    cells, trials = stored(plan, ": cells"), stored(plan)
    assert {cell.state.name for cell in cells} == {"COMPLETE", "PRUNED"}
    assert [cell.state for cell in cells] == [trial.state for trial in trials]
    assert [cell.intermediate_values for cell in cells] == [trial.intermediate_values for trial in trials]
    lost = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert len(lost) == len(outcome.pruned) == sum(isinstance(event, Pruned) for event in events)
    for trial in lost:
        folder = TrialFolder.of(tmp_path, trial.user_attrs["key"])
        epochs = len(history(folder, "epoch"))
        assert epochs == len(trial.intermediate_values) < 8
        assert (folder.path / "count.json").exists()  # its checkpoint
        assert folder.result() is None
    best = max(cells, key=lambda cell: cell.value if cell.state.name == "COMPLETE" else -1)
    assert best.value == max(quality(trial.spec) for trial in outcome.trials.values())
    assert len(ranking(study_frame(plan, outcome.trials.values(), outcome.finished)).rows) == 16 - len(lost)


def test_nothing_of_a_pruned_cell_is_trained_afterwards(tmp_path: Path) -> None:
    plan, outcome, _ = pruned_study(tmp_path, "median", seeds=(0, 1), trials=32)
    cells, trained = stored(plan, ": cells"), stored(plan)
    lost = sum(cell.state.name == "PRUNED" for cell in cells)
    assert lost > 0
    assert Counter(trial.state.name for trial in trained) == {"COMPLETE": 2 * (16 - lost), "PRUNED": lost}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "trials").rglob("history")}
    again, events = run(plan)
    assert again.finished == outcome.finished
    assert not [event for event in events if isinstance(event, Started)]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "trials").rglob("history")} == before


def test_a_repetition_of_a_pruned_cell_is_pruned_without_training(tmp_path: Path) -> None:
    plan, _, events = pruned_study(tmp_path, "median", space=SMALL, trials=30)
    assert Counter(states(plan)).keys() == {"COMPLETE", "PRUNED"}
    assert sum(isinstance(event, Started) for event in events) == 5
    by_value: dict[int, set[str]] = {}
    for cell in stored(plan, ": cells"):
        by_value.setdefault(cell.params["kernel_size"], set()).add(cell.state.name)
    assert all(len(found) == 1 for found in by_value.values())


def test_a_driver_killed_between_the_two_records_of_a_pruning_prunes_no_less(tmp_path: Path) -> None:
    plan, _, _ = pruned_study(tmp_path / "a", "median")
    same = sampled_plan(tmp_path / "b", pruner="median", pruner_options={"n_startup_trials": 3}, epochs=8, trials=16)

    def die(event: Event) -> None:
        if isinstance(event, Pruned):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        tell = Sampled.tell
        patch.setattr(Sampled, "tell", lambda self, event: die(event) or tell(self, event))
        run(same)
    assert [trial.state.name for trial in stored(same)][-1] == "PRUNED"
    assert states(same)[-1] == "RUNNING"
    _, events = run(same)
    last = next(event for event in events if isinstance(event, Started))
    assert history(TrialFolder.of(tmp_path / "b", last.spec.key), "epoch")[0] == "epoch 1"
    assert states(same) == states(plan)
    assert [trial.state.name for trial in stored(same)] == [trial.state.name for trial in stored(plan)]


def test_wilcoxon_stops_a_cell_between_its_repeats(tmp_path: Path) -> None:
    seeds = tuple(range(6))
    plan = sampled_plan(tmp_path, pruner="wilcoxon", seeds=seeds, trials=36, epochs=1)
    outcome, _ = run(plan)
    cells = stored(plan, ": cells")
    assert {cell.state.name for cell in cells} == {"COMPLETE", "PRUNED"}
    assert {trial.state.name for trial in stored(plan)} == {"COMPLETE"}
    lost = [cell for cell in cells if cell.state.name == "PRUNED"]
    assert all(4 <= len(cell.intermediate_values) < len(seeds) for cell in lost)
    steps = sum(len(cell.intermediate_values) for cell in cells)
    assert steps == len(outcome.finished) == len(fits_trained(plan)) < 36
    assert max(cells, key=lambda cell: cell.value or -1).state.name == "COMPLETE"


def test_a_single_repeat_is_not_stopped_after_its_last_epoch(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, pruner="median", pruner_options={"n_startup_trials": 1}, epochs=1, trials=8)
    run(plan)
    assert states(plan) == ["COMPLETE"] * 8


@pytest.mark.slow
def test_losers_stop_early_on_ray_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", IMPORTABLE)  # worker processes find the trial function
    options = {"n_startup_trials": 2}
    plan = sampled_plan(
        tmp_path, sampler="tpe", pruner="median", pruner_options=options, seeds=(0, 1), trials=16, epochs=4, seconds=0.1
    )
    outcome, _ = run(replace(plan, study=replace(plan.study, resources=ResourceSettings(backend="ray"))))
    cells = stored(plan, ": cells")
    assert {cell.state.name for cell in cells} == {"COMPLETE", "PRUNED"}
    complete = sum(cell.state.name == "COMPLETE" for cell in cells)
    found = Counter(trial.state.name for trial in stored(plan))
    assert found["COMPLETE"] >= 2 * complete  # a second repeat may end before the first one's loss is seen
    assert found["PRUNED"] == len(outcome.pruned) >= len(cells) - complete
    assert found.keys() == {"COMPLETE", "PRUNED"}
    for trial in stored(plan):
        folder = TrialFolder.of(tmp_path, trial.user_attrs["key"])
        assert (folder.result() is None) is (trial.state.name == "PRUNED") is (folder.path / "count.json").exists()
    assert not [event for event in run(plan)[1] if isinstance(event, Started)]


def test_the_other_repeats_of_a_pruned_cell_stop_too(tmp_path: Path) -> None:
    options = {"n_startup_trials": 1}
    plan = sampled_plan(tmp_path, pruner="median", pruner_options=options, seeds=(0, 1), trials=40, epochs=3)
    known: dict[str, TrialResult] = {}
    with proposer(plan, known) as asked:
        for _ in range(20):
            first, second = asked.ask(), asked.ask()
            assert isinstance(first, TrialSpec)
            assert isinstance(second, TrialSpec)
            assert (first.cell, first.seed, second.seed) == (second.cell, 0, 1)
            report = next(iter(counting_trial(first, TrialFolder.of(tmp_path, first.key))))
            assert not isinstance(report, str)
            asked.tell(Reported(second, report))
            assert not asked.stops(second)  # its curve is not the one that is watched
            asked.tell(Reported(first, report))
            if asked.stops(first):
                break
            finish(asked, known, first)
            finish(asked, known, second)
        assert asked.stops(second)
        asked.tell(Pruned(first))
        assert states(plan)[-1] == "RUNNING"
        asked.tell(Pruned(second))
        assert states(plan)[-1] == "PRUNED"
