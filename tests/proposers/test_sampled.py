"""A sampler's study from end to end, with trials that count: duplicates, restarts, failures, objectives."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from tal_search.execution.driver import run_study
from tal_search.plan.plan_frame import study_frame
from tal_search.proposers import sampled
from tal_search.proposers.events import WAIT, Event, Failed, Finished, Reported, Started
from tal_search.results.ranking import ranking
from tal_search.study import Dimension
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.sampled_plans import (
    SMALL,
    SPACE,
    finish,
    fits_trained,
    proposed,
    proposer,
    run,
    sampled_plan,
    states,
    stored,
)
from tests.support.small_trials import counting_trial, history, make_result


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_duplicate_is_answered_not_trained_and_the_study_ends(sampler: str, tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler=sampler, space=SMALL, trials=24, seeds=(0, 1))
    outcome, events = run(plan)
    assert set(states(plan)) == {"COMPLETE"}
    cells = Counter(cell["kernel_size"] for cell in proposed(plan))
    assert len(cells) < cells.total() <= 12
    assert len(fits_trained(plan)) == len(set(fits_trained(plan))) == 2 * len(cells)
    assert sum(isinstance(event, Started) for event in events) == 2 * len(cells)
    assert len(ranking(study_frame(plan, outcome.trials.values(), outcome.finished)).rows) == len(cells)


def test_a_study_whose_trials_are_spent_does_not_say_that_its_time_is(tmp_path: Path) -> None:
    run(sampled_plan(tmp_path, trials=2))
    again, _ = run(sampled_plan(tmp_path, trials=2, minutes=1e-9))
    assert (again.out_of_time, again.messages) == (False, ())
    more, _ = run(sampled_plan(tmp_path, trials=3, minutes=1e-9))
    assert more.out_of_time


def test_a_study_that_another_one_has_trained_is_no_repetition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "MOST_REPETITIONS", 3)
    first = sampled_plan(tmp_path, trials=8, epochs=1)
    run(first)
    fork = replace(first, study=replace(first.study, name="fork"))
    outcome, events = run(fork)
    assert outcome.cached == len(outcome.finished) == 8
    assert not [event for event in events if isinstance(event, Started)]


def test_a_repetition_of_a_running_cell_waits_for_it(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, space={"affinity": Dimension(choices=(True, False))}, trials=40)
    known: dict[str, TrialResult] = {}
    with proposer(plan, known) as asked:
        under_way = [asked.ask()]
        while isinstance(spec := asked.ask(), TrialSpec):
            under_way.append(spec)
        assert spec is WAIT
        assert asked.ask() is WAIT
        assert len(proposed(plan)) <= 4
        assert isinstance(under_way[0], TrialSpec)
        finish(asked, known, under_way[0])
        before = len(proposed(plan))
        while isinstance(spec := asked.ask(), TrialSpec):
            finish(asked, known, spec)
        assert len(proposed(plan)) >= before
    assert len(known) <= 2


def test_a_continued_study_shows_all_its_cells_and_trains_none_again(tmp_path: Path) -> None:
    whole, _ = run(sampled_plan(tmp_path / "whole", sampler="tpe", trials=12, seeds=(0, 1)))
    short = sampled_plan(tmp_path / "parts", sampler="tpe", trials=6, seeds=(0, 1))
    run(short)
    longer = replace(short, study=replace(short.study, budget=replace(short.study.budget, trials=12)))
    outcome, events = run(longer)
    assert list(outcome.finished) == list(whole.finished)
    assert outcome.cached == 6
    assert sum(isinstance(event, Started) for event in events) == 6
    assert len(ranking(study_frame(longer, outcome.trials.values(), outcome.finished)).rows) == 6
    again, events = run(longer)
    assert (again.finished, again.cached) == (outcome.finished, 12)
    assert len(proposed(longer)) == 6
    assert {type(event) for event in events} == {Finished}


def test_ctrl_c_in_a_cell_continues_it(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path / "a", sampler="tpe", trials=6, seeds=(0, 1))

    def interrupt(event: Event) -> None:
        reports.append(event) if isinstance(event, Reported) else None
        if len(reports) == 8:  # in the second cell's first repeat
            os.kill(os.getpid(), 2)

    reports: list[Event] = []
    outcome = run_study(plan, on_event=interrupt, trial=counting_trial)
    assert outcome.interrupted == 130
    assert states(plan)[-1] == "RUNNING"
    outcome, _ = run(plan)
    assert states(plan) == ["COMPLETE"] * 3
    undisturbed = sampled_plan(tmp_path / "b", sampler="tpe", trials=6, seeds=(0, 1))
    assert list(outcome.finished) == list(run(undisturbed)[0].finished)
    for trial in outcome.trials.values():
        told = history(TrialFolder.of(plan.study.runs, trial.spec.key), "epoch")
        assert told == ["epoch 1", "epoch 2", "epoch 3"]


# Failures


def fails_with_narrow_kernels(spec: TrialSpec, folder: TrialFolder) -> Any:
    narrow = spec.hyperparameters["kernel_size"] < 5 and spec.seed == 1
    yield from counting_trial(
        replace(spec, hyperparameters={**spec.hyperparameters, **({"raises": "diverged"} if narrow else {})}), folder
    )


def test_a_failed_repeat_fails_its_cell_and_no_other(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler="tpe", space=SMALL, seeds=(0, 1, 2), trials=30)
    outcome, events = run(plan, trial=fails_with_narrow_kernels)
    for cell in stored(plan, ": cells"):
        assert cell.state.name == ("FAIL" if cell.params["kernel_size"] < 5 else "COMPLETE")
    assert {"FAIL", "COMPLETE"} == set(states(plan))
    failures = [event.spec.key for event in events if isinstance(event, Failed)]
    assert len(failures) == len(set(failures)) == len(outcome.failed) > 0, "a deterministic error is not tried again"
    started = [event.spec for event in events if isinstance(event, Started)]
    assert not [spec for spec in started if spec.hyperparameters["kernel_size"] < 5 and spec.seed == 2]
    rows = ranking(study_frame(plan, outcome.trials.values(), outcome.finished)).rows
    assert min(rows["kernel_size"]) >= 5
    best = rows[rows["best"]]
    assert list(best["kernel_size"]) == [max(rows["kernel_size"])]


def test_a_cell_that_failed_is_tried_again_by_the_next_command_with_its_parameters(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler="tpe", space=SMALL, seeds=(0, 1), trials=8)
    first, _ = run(plan, trial=fails_with_narrow_kernels)
    before = stored(plan, ": cells")
    failed = [cell.number for cell in before if cell.state.name == "FAIL"]
    assert failed
    again, events = run(plan)  # what made them fail is gone
    after = stored(plan, ": cells")
    assert [cell.state.name for cell in after] == ["COMPLETE"] * len(before)
    assert [cell.params for cell in after] == [cell.params for cell in before]
    assert again.failed == {}
    assert set(again.finished) >= set(first.finished)
    started = [event.spec for event in events if isinstance(event, Started)]
    assert {spec.hyperparameters["kernel_size"] for spec in started} == {
        before[number].params["kernel_size"] for number in failed
    }
    assert {spec.key for spec in started} == set(again.finished) - set(first.finished)


# Objectives


@pytest.mark.parametrize(("sampler", "options"), [
    ("nsgaii", {"population_size": 4}), ("tpe", {"n_startup_trials": 4}), ("gp", {"n_startup_trials": 6}),
    ("random", {}), ("qmc", {}),
])  # fmt: skip
def test_two_objectives(sampler: str, options: dict[str, Any], tmp_path: Path, one_thread: None) -> None:
    objectives = {"mAP": "maximize", "parameters": "minimize"}
    space = {"kernel_size": SMALL["kernel_size"], "lambda_sep": SPACE["lambda_sep"]}
    plan = sampled_plan(
        tmp_path, sampler=sampler, options=options, space=space, objectives=objectives, trials=8, epochs=1
    )
    outcome, _ = run(plan)
    cells = stored(plan, ": cells")
    assert all(cell.state.name == "COMPLETE" for cell in cells)
    results = [TrialResult.from_json(trial.user_attrs["result"]) for trial in stored(plan)]
    told = {(result.holdout_mAP[1], float(result.parameters)) for result in results if result.holdout_mAP}
    assert {tuple(cell.values) for cell in cells} == told
    rows = ranking(study_frame(plan, outcome.trials.values(), outcome.finished)).rows
    front = {(round(row["mAP"] / 100, 9), row["parameters"]) for row in rows[rows["best"]].to_dict("records")}
    study = optuna.create_study(directions=list(objectives.values()))
    study.add_trials(cells)
    assert front == {(round(trial.values[0], 9), trial.values[1]) for trial in study.best_trials}


def poisoned(spec: TrialSpec, folder: TrialFolder) -> Any:
    """The same trial with absurd scores on the test split, in its reports and in its result."""
    for step in counting_trial(spec, folder):
        scores = {name: -1e9 / step.epoch if name.startswith("test/") else value for name, value in step.scores.items()}
        yield replace(step, scores=scores)
    result = make_result(spec)
    mAP = tuple(1e9 - value for value in result.mAP)
    folder.write_result(replace(result, mAP=mAP, best_on_test_epoch=3, best_on_test_mAP=1e9))


@pytest.mark.parametrize("pruner", ["median", "wilcoxon"])
def test_no_proposal_and_no_pruning_depends_on_a_test_score(pruner: str, tmp_path: Path) -> None:
    found = []
    for name, trial in (("sound", counting_trial), ("poisoned", poisoned)):
        options = {"n_startup_trials": 2}
        plan = sampled_plan(
            tmp_path / name, sampler="tpe", options=options, pruner=pruner, trials=36 if pruner == "wilcoxon" else 20,
            pruner_options=options if pruner == "median" else {}, seeds=tuple(range(6 if pruner == "wilcoxon" else 2)),
        )  # fmt: skip
        outcome, _ = run(plan, trial=trial)
        cells = stored(plan, ": cells")
        found.append([(cell.params, cell.state, cell.values, cell.intermediate_values) for cell in cells])
        tests = [max(result.mAP) for result in outcome.finished.values()]
        assert (min(tests) > 1e6) is (name == "poisoned")
    assert found[0] == found[1]
    assert {state.name for _, state, _, _ in found[0]} == {"COMPLETE", "PRUNED"}


# Inference axes


def test_cells_that_share_a_fit_train_it_once(tmp_path: Path) -> None:
    space = {"inference.nms": Dimension(low=0.2, high=0.8), "affinity": Dimension(choices=(True, False))}
    plan = sampled_plan(tmp_path, sampler="tpe", space=space, trials=20)
    outcome, _ = run(plan)
    assert len(fits_trained(plan)) == 2
    assert len(outcome.finished) == 20
    rows = ranking(study_frame(plan, outcome.trials.values(), outcome.finished)).rows
    assert rows["mAP"].nunique() == 20
    assert rows["inference.nms"].iloc[0] == max(rows["inference.nms"])  # see small_trials.setting_result
