"""What a sampler found: the Pareto front against a plain one, rows of whole cells, test scores apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.proposers.objectives import observe, values
from tal_search.results.ranking import Ranking, pareto_front, ranking
from tal_search.results.statistics import HIGH, LOW
from tal_search.trial.trial_types import TrialResult
from tests.support.sampled_plans import sampled_plan
from tests.support.small_trials import TIOU, make_result

points = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(st.integers(-3, 3), min_size=width, max_size=width), min_size=1, max_size=12)
)


def beats(one: list[int], other: list[int]) -> bool:
    """At least as good everywhere, better somewhere."""
    better = False
    for mine, theirs in zip(one, other, strict=True):
        if mine < theirs:
            return False
        better = better or mine > theirs
    return better


@given(points)
def test_the_front_is_what_nothing_beats(found: list[list[int]]) -> None:
    expected = [not any(beats(other, point) for other in found) for point in found]
    assert pareto_front(np.array(found, dtype=float)) == expected
    assert any(expected)


def test_a_point_with_an_unknown_objective_is_not_on_the_front() -> None:
    assert pareto_front(np.array([[1.0, np.nan], [2.0, 1.0], [np.nan, 9.0], [1.0, 2.0]])) == [False, True, False, True]


SEEDS = (0, 1, 2)
CELLS = [{"lambda_sep": value, "beta_aff": 0.8} for value in (0.5, 1.0, 2.0, 3.0)]


def ranked(plan: Plan, missing: int = 0) -> tuple[Ranking, dict[str, TrialResult]]:
    """Of the cells above, with results of all trials but the last ones; test scores fall where held-out ones rise."""
    trials = [plan.trial(cell, *repeat) for cell in CELLS for repeat in plan.repeats]
    results = {}
    for trial in trials[: len(trials) - missing]:
        lamda = trial.cell["lambda_sep"]
        sound = make_result(trial.spec)
        results[trial.id] = replace(
            sound,
            holdout_mAP=tuple(lamda / 10 + trial.spec.seed / 100 for _ in TIOU),
            mAP=tuple(0.5 - lamda / 10 for _ in TIOU),
            parameters=int(10 * (lamda if lamda < 3 else 0.5)),
        )
    return ranking(study_frame(plan, trials, results)), results


def plan_of(folder: Path, **objectives: str) -> Plan:
    space = dict(list(sampled_plan(folder).study.search.space.items())[::3])
    return sampled_plan(folder, seeds=SEEDS, objectives=objectives, space=space)


def test_the_best_cell_comes_first_by_held_out_videos(tmp_path: Path) -> None:
    found, _ = ranked(plan_of(tmp_path, mAP="maximize"))
    assert found.axes == ("lambda_sep", "beta_aff")
    assert found.tiou == "0.5"
    assert list(found.rows["lambda_sep"]) == [3.0, 2.0, 1.0, 0.5]
    assert list(found.rows["best"]) == [True, False, False, False]
    assert list(found.rows["n"]) == [3] * 4
    assert found.rows["mAP"].tolist() == pytest.approx([31, 21, 11, 6])
    half = stats.t.ppf(0.975, 2) / 3**0.5  # of three seeds, a point apart
    for ending, sign in ((LOW, -1), (HIGH, 1)):
        assert (found.rows["mAP" + ending] - found.rows["mAP"]).tolist() == pytest.approx([sign * half] * 4)
        assert (found.rows["test" + ending] - found.rows["test"]).tolist() == pytest.approx([0] * 4, abs=1e-9)
    assert found.rows["test"].tolist() == pytest.approx([20, 30, 40, 45])


def test_a_minimized_objective_and_a_front(tmp_path: Path) -> None:
    found, _ = ranked(plan_of(tmp_path, parameters="minimize"))
    assert found.rows["parameters"].tolist() == [5, 5, 10, 20]
    assert list(found.rows["best"]) == [True, True, False, False]
    found, _ = ranked(plan_of(tmp_path, mAP="maximize", parameters="maximize"))
    assert {row["lambda_sep"] for row in found.rows.to_dict("records") if row["best"]} == {2.0, 3.0}
    found, _ = ranked(plan_of(tmp_path, mAP="maximize", parameters="minimize"))
    assert {row["lambda_sep"] for row in found.rows.to_dict("records") if row["best"]} == {3.0}


def test_a_cell_with_a_repeat_missing_is_left_out(tmp_path: Path) -> None:
    found, _ = ranked(plan_of(tmp_path, mAP="maximize"), missing=1)
    assert list(found.rows["lambda_sep"]) == [2.0, 1.0, 0.5]
    nothing, _ = ranked(plan_of(tmp_path, mAP="maximize"), missing=12)
    assert nothing.rows.empty


def test_objectives_are_means_over_the_repeats_in_the_studys_order(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, mAP="maximize")
    trials = [plan.trial(CELLS[1], *repeat) for repeat in plan.repeats]
    seen = [observe(trial, replace(make_result(trial.spec), seconds=trial.spec.seed + 2.0)) for trial in trials]
    mAPs = [one.mAP for one in seen]
    assert mAPs[0] == make_result(trials[0].spec).holdout_mAP[TIOU.index(0.5)]  # type: ignore[index]
    assert values({"training_seconds": "minimize", "mAP": "maximize"}, seen) == [3.0, pytest.approx(sum(mAPs) / 3)]
    assert values({"annotation_seconds": "minimize", "parameters": "minimize"}, seen) == [
        seen[0].annotation_seconds, 3.0
    ]  # fmt: skip
    assert seen[0].annotation_seconds > 0


def test_a_trial_without_held_out_videos_is_no_observation(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, mAP="maximize")
    trial = plan.trial(CELLS[0], 0, "a")
    result = replace(make_result(trial.spec), holdout_mAP=None)
    with pytest.raises(ValueError, match=rf"trial {trial.id} has no held-out score, and a sampler never reads test"):
        observe(trial, result)
