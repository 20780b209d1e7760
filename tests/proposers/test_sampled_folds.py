"""A sampler's study with folds: a cell has one value over all folds of all repeats, and is pruned as a whole."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.execution.driver import run_study
from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.proposers.objectives import of_repeats, values
from tal_search.results.folds.pooling import HELD_OUT, folds_note
from tal_search.results.overview import overview
from tal_search.results.ranking import ranking
from tal_search.trial.trial_types import TrialResult, objective
from tests.support.folded_study import folded_plan
from tests.support.sampled_plans import fits_trained, run, sampled_plan, stored
from tests.support.small_records import trial_of
from tests.support.small_trials import make_result

FOLDS = {"by": "user(\\d+)", "of": 3, "subjects": ["1", "2", "3"]}


def in_folds(plan: Plan) -> Plan:
    """A plan of counting trials, whose dataset has three folds."""
    return replace(plan, dataset=replace(plan.dataset, folds=FOLDS))


def fold_of(seed: int, fold: int) -> Trial:
    trial = trial_of(seed)
    spec = replace(trial.spec, dataset=replace(trial.spec.dataset, folds=FOLDS, fold=fold))
    return replace(trial, spec=spec, annotation_total=100.0)


def test_the_folds_of_a_repeat_are_one_observation() -> None:
    trials = [fold_of(seed, fold) for seed in (0, 1) for fold in range(3)]
    scores = (0.1, 0.2, 0.6, 0.0, 0.3, 0.3)
    results = {
        trial.id: replace(make_result(trial.spec), holdout_mAP=(0.0, score, 0.0), seconds=2.0, parameters=7)
        for trial, score in zip(trials, scores, strict=True)
    }
    repeats = of_repeats(trials, results)
    assert [one.mAP for one in repeats] == pytest.approx([0.3, 0.2])
    assert [(one.training_seconds, one.parameters, one.annotation_total) for one in repeats] == [(6.0, 7.0, 100.0)] * 2
    assert values({"mAP": "maximize", "training_seconds": "minimize"}, repeats) == pytest.approx([0.25, 6.0])


@pytest.mark.parametrize(
    ("sampler", "objectives"),
    [
        ("{name: tpe, options: {n_startup_trials: 2}}", "[mAP]"),
        ("{name: gp, options: {n_startup_trials: 2}}", "[mAP]"),
        ("{name: nsgaii, options: {population_size: 2}}", "[mAP, training_seconds]"),
    ],
)  # fmt: skip
def test_a_sampler_is_told_the_values_that_the_ranking_shows(sampler: str, objectives: str, tmp_path: Path) -> None:
    settings = (f"search.objectives={objectives}", "budget.trials=8", "hyperparameters.epochs=2")
    plan = folded_plan(tmp_path, *settings, of=2, subjects=4, sampler=sampler)
    outcome = run_study(plan)
    assert not outcome.failed
    by_cell: dict[str, dict[int | None, TrialResult]] = defaultdict(dict)
    for trial in outcome.trials.values():
        by_cell[str(trial.cell)][trial.fold] = outcome.finished[trial.id]
    told = stored(plan, ": cells")
    assert len(told) == len(by_cell) == 4, "a cell is one Optuna trial, not one for each fold"
    assert all(set(folds) == {0, 1} for folds in by_cell.values())
    expected = [
        [sum(map(objective, folds.values())) / 2, sum(one.seconds for one in folds.values())]
        for folds in by_cell.values()
    ]
    assert [cell.values for cell in told] == [
        pytest.approx(row[: len(cell.values)]) for cell, row in zip(told, expected, strict=True)
    ]
    data = study_frame(plan, outcome.trials.values(), outcome.finished)
    rows = ranking(data).rows
    assert rows["n"].tolist() == [1] * 4
    assert sorted(100 * cell.values[0] for cell in told) == pytest.approx(sorted(rows["mAP"]))
    if len(told[0].values) > 1:
        assert sorted(cell.values[1] for cell in told) == pytest.approx(sorted(rows["training_seconds"]))
    best = overview(data).best
    assert best is not None
    assert best["n"] == 1
    assert best["mean"] == pytest.approx(100 * max(cell.values[0] for cell in told)), "a mean over folds, not a fold's"
    assert HELD_OUT in folds_note(data)
    assert data.trials["ids"].map(len).tolist() == [2] * 4
    assert data.trials[data.score].notna().all(), "the test score of a cell is that of its pooled detections"


@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_a_cell_that_is_pruned_leaves_out_its_other_folds(pruner: str, tmp_path: Path) -> None:
    options = {"n_startup_trials": 3} if pruner == "median" else {"reduction_factor": 2}
    plan = in_folds(sampled_plan(tmp_path, pruner=pruner, pruner_options=options, epochs=8, trials=30))
    outcome, _ = run(plan)
    cells = stored(plan, ": cells")
    lost = sum(cell.state.name == "PRUNED" for cell in cells)
    assert 0 < lost < len(cells) == 10
    assert len(fits_trained(plan)) == 3 * (len(cells) - lost)
    data = study_frame(plan, outcome.trials.values(), outcome.finished)
    assert len(data.every_done) == 3 * (len(cells) - lost)
    stopped = {trial.spec.dataset.fold for trial in outcome.trials.values() if trial.id in outcome.pruned}
    assert stopped == {0}, "cells are compared by their first fold"
    curves = [len(cell.intermediate_values) for cell in cells if cell.state.name == "COMPLETE"]
    assert set(curves) == {8}, "one value an epoch, not one for each fold"
