"""A sampler's study from end to end, with trials that count: duplicates, failures, pruning, objectives, restarts."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from sampled_plans import SPACE, finish, proposed, proposer, sampled_plan, stored
from small_trials import counting_trial, history, make_result

from tal_search.search import sampled
from tal_search.search.backend import WAIT, Event, Failed, Finished, Pruned, Reported, Started
from tal_search.search.driver import run_study
from tal_search.search.plan import Plan
from tal_search.search.ranking import ranking
from tal_search.search.running import Outcome
from tal_search.search.sampled import MOST_REPETITIONS, Sampled
from tal_search.study import Dimension, ResourceSettings
from tal_search.trial_folder import TrialFolder
from tal_search.types import TrialResult, TrialSpec

SMALL = {"kernel_size": Dimension(low=1, high=9, step=2)}  # five cells
STATES = {"COMPLETE", "PRUNED", "FAIL"}


def run(plan: Plan, **more: Any) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return run_study(plan, on_event=events.append, trial=more.pop("trial", counting_trial), **more), events


def states(plan: Plan, suffix: str = ": cells") -> list[str]:
    return [trial.state.name for trial in stored(plan, suffix)]


def fits_trained(plan: Plan) -> list[str]:
    folders = (plan.study.runs / "trials").iterdir()
    return [folder.name for folder in folders for _ in history(TrialFolder(folder), "finished")]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_duplicate_is_answered_not_trained_and_the_study_ends(sampler: str, tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, sampler=sampler, space=SMALL, trials=24, seeds=(0, 1))
    outcome, events = run(plan)
    assert states(plan) == ["COMPLETE"] * 12
    cells = Counter(cell["kernel_size"] for cell in proposed(plan))
    assert len(cells) < 12
    assert len(fits_trained(plan)) == len(set(fits_trained(plan))) == 2 * len(cells)
    assert sum(isinstance(event, Started) for event in events) == 2 * len(cells)
    assert len(ranking(plan, outcome.trials.values(), outcome.finished).rows) == len(cells)


def test_an_exhausted_space_ends_a_study_that_has_only_a_time_budget(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, space=SMALL, trials=None, minutes=10)
    outcome, _ = run(plan)
    assert not outcome.out_of_time
    cells = [cell["kernel_size"] for cell in proposed(plan)]
    assert len(set(cells[:-MOST_REPETITIONS])) == len(set(cells)) == len(fits_trained(plan)) == 5


def test_a_study_that_another_one_has_trained_is_no_repetition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "MOST_REPETITIONS", 3)
    first = sampled_plan(tmp_path, trials=8, epochs=1)
    run(first)
    fork = replace(first, study=replace(first.study, name="fork"))
    outcome, events = run(fork)
    assert outcome.cached == len(outcome.finished) == 8
    assert not [event for event in events if isinstance(event, Started)]


def test_a_repetition_of_a_cell_under_way_waits_for_it(tmp_path: Path) -> None:
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
    assert len(ranking(longer, outcome.trials.values(), outcome.finished).rows) == 6
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


# Pruning


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
    assert len(ranking(plan, outcome.trials.values(), outcome.finished).rows) == 16 - len(lost)


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
    seeds = tuple(range(8))
    plan = sampled_plan(tmp_path, pruner="wilcoxon", seeds=seeds, trials=64, epochs=1)
    outcome, _ = run(plan)
    cells = stored(plan, ": cells")
    assert {cell.state.name for cell in cells} == {"COMPLETE", "PRUNED"}
    assert {trial.state.name for trial in stored(plan)} == {"COMPLETE"}
    lost = [cell for cell in cells if cell.state.name == "PRUNED"]
    assert all(4 <= len(cell.intermediate_values) < len(seeds) for cell in lost)
    steps = sum(len(cell.intermediate_values) for cell in cells)
    assert steps == len(outcome.finished) == len(fits_trained(plan)) < 64
    assert max(cells, key=lambda cell: cell.value or -1).state.name == "COMPLETE"


def test_a_single_repeat_is_not_stopped_after_its_last_epoch(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, pruner="median", pruner_options={"n_startup_trials": 1}, epochs=1, trials=8)
    run(plan)
    assert states(plan) == ["COMPLETE"] * 8


def test_losers_stop_early_on_ray_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # worker processes find the trial function
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
    rows = ranking(plan, outcome.trials.values(), outcome.finished).rows
    assert min(rows["kernel_size"]) >= 5
    best = rows[rows["best"]]
    assert list(best["kernel_size"]) == [max(rows["kernel_size"])]


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
    rows = ranking(plan, outcome.trials.values(), outcome.finished).rows
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
    rows = ranking(plan, outcome.trials.values(), outcome.finished).rows
    assert rows["mAP"].nunique() == 20
    assert rows["inference.nms"].iloc[0] == max(rows["inference.nms"])  # see small_trials.setting_result
