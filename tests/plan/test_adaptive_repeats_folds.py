"""Adaptive repeats of a study with folds are whole repeats."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tal_search.execution.driver import run_study
from tal_search.plan.adaptive_repeats import next_repeats
from tal_search.plan.plan_frame import study_frame
from tal_search.results.cell_table import cells, objective_differences
from tal_search.results.statistics import HIGH, LOW
from tests.support.folded_study import folded_plan

SHORT = "hyperparameters.epochs=2"


def until(interval: float, at_most: int) -> str:
    return f"search.repeats.until={{interval: {interval}, at_most: {at_most}}}"


def test_a_repeat_more_is_all_folds_of_a_seed(tmp_path: Path) -> None:
    plan = folded_plan(tmp_path, SHORT, until(0.001, 3), of=2, subjects=4, seeds=(0, 1))
    outcome = run_study(plan)
    assert not outcome.failed
    repeats: dict[object, list[int | None]] = defaultdict(list)
    for trial in outcome.trials.values():
        repeats[str(trial.cell), trial.spec.seed].append(trial.fold)
    assert [sorted(folds, key=str) for folds in repeats.values()] == [[0, 1]] * 6
    assert {seed for _, seed in repeats} == {0, 1, 2}  # type: ignore[misc]
    assert cells(study_frame(plan, outcome.trials.values(), outcome.finished))["n"].tolist() == [3, 3]
    first = {trial.id: outcome.finished[trial.id] for trial in plan.trials}
    more = next_repeats(plan, plan.trials, first)
    assert sorted((trial.cell["lambda_sep"], trial.spec.seed, trial.fold) for trial in more) == [
        (0.0, 2, 0), (0.0, 2, 1), (1.0, 2, 0), (1.0, 2, 1),
    ]  # fmt: skip
    table = objective_differences(study_frame(plan, plan.trials, first))
    width = float((table["delta" + HIGH] - table["delta" + LOW]).max())
    narrow = folded_plan(tmp_path, SHORT, until(width + 0.1, 3), of=2, subjects=4, seeds=(0, 1))
    assert next_repeats(narrow, narrow.trials, first) == [], "the interval over subjects is narrow enough"
