"""Label budgets in a study: section, axes, spaces and cases, the older name, and budgets that nothing reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.plan.plan import resolve
from tal_search.study.supervision.rules import alias_note
from tests.support.study_files import load, problems

DATA = "dataset: {source: simulated, simulation: {train_videos: 24, test_videos: 20, channels: 8}}\n"
GRID = DATA + "search: {plan: grid, axes: {supervision: {videos: [0.5, 1], background_clicks: [0, 0.5, 1]}}}\n"


def test_budgets_are_axes_whose_centre_is_all_supervision_or_the_sections(tmp_path: Path) -> None:
    plan = resolve(load(tmp_path, GRID))
    assert plan.centre_cell == {"supervision.videos": 1.0, "supervision.background_clicks": 1.0}
    assert len(plan.cells) == len(plan.trials) == 6
    shares = [trial.spec.dataset.shares for trial in plan.trials]
    assert shares[0] == {}
    assert {"videos": 0.5, "background_clicks": 0.5} in shares
    assert len({trial.spec.key for trial in plan.trials}) == 6
    half = resolve(load(tmp_path, GRID, "supervision.videos=0.5"))
    assert half.centre_cell["supervision.videos"] == 0.5
    assert half.trials[0].spec.dataset.shares == {"videos": 0.5}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("supervision.vidoes=0.5", "supervision.vidoes is unknown; did you mean 'videos'?"),
        ("supervision.videos=1.5", "supervision.videos is 1.5; it must be at most 1"),
        ("search.axes.supervision.videos=[-1]", "[-1]; it must be at least 0"),
        ("search.axes.supervision.vidoes=[0.5]", "supervision.vidoes is unknown; did you mean 'videos'?"),
        ("search.axes.supervision.instances=[0.5]", "is given, but backtal never reads instances; remove it"),
        ("supervision.action_clicks=0.5", "is given, but backtal never reads action clicks; remove it"),
        ("dataset.clicks_per_minute=1", "is given beside search.axes.supervision.background_clicks"),
    ],
)
def test_a_wrong_budget_is_one_sentence(override: str, words: str, tmp_path: Path) -> None:
    (sentence,) = problems(tmp_path, GRID, override)
    assert words.removeprefix("[-1]; ") in sentence


def test_both_names_of_one_budget_are_refused(tmp_path: Path) -> None:
    (sentence,) = problems(tmp_path, DATA, "dataset.clicks_fraction=0.5", "supervision.background_clicks=0.25")
    assert "dataset.clicks_fraction is the older name of supervision.background_clicks, which is given too" in sentence


def test_the_older_name_says_so_once_and_means_the_same(tmp_path: Path) -> None:
    older, newer = (
        load(tmp_path, DATA, override)
        for override in ("dataset.clicks_fraction=0.5", "supervision.background_clicks=0.5")
    )
    assert [t.id for t in resolve(older).trials] == [t.id for t in resolve(newer).trials]
    (note,) = alias_note(older)
    assert "dataset.clicks_fraction: clicks_fraction is the older name of supervision.background_clicks" in note
    assert alias_note(newer) == []


CASES = """
search:
  plan: cases
  cases:
    clicks: {method: sfnet, preset: auto, supervision: {action_clicks: 0.25}}
    instances: {method: asl, preset: auto, supervision: {instances: 0}}
    all: {method: asl, preset: auto, supervision: {videos: 1}}
supervision: {videos: 0.5}
"""


def test_a_case_has_its_own_budgets_over_the_studys(tmp_path: Path) -> None:
    trials = {str(trial.cell["case"]): trial for trial in resolve(load(tmp_path, DATA + CASES)).trials}
    shares = {case: trial.spec.dataset.shares for case, trial in trials.items()}
    assert shares["clicks"] == {"action_clicks": 0.25, "videos": 0.5}
    assert shares["instances"] == {"instances": 0.0, "videos": 0.5}
    assert shares["all"] == {}
    assert trials["instances"].spec.supervision == ("video labels",)
    totals = {case: trial.annotation_total for case, trial in trials.items()}
    assert None not in totals.values()
    assert totals["instances"] < totals["clicks"] < totals["all"]  # type: ignore[operator]
    (sentence,) = problems(tmp_path, DATA + CASES, "search.cases.clicks.supervision.instances=0.5")
    assert "search.cases.clicks.supervision.instances is given, but sfnet never reads instances" in sentence


def test_steps_stay_equal_where_a_method_counts_them_and_epochs_elsewhere(tmp_path: Path) -> None:
    axis = "search: {axes: {supervision: {videos: [0.5]}}}\nhyperparameters: {batch_size: 2"
    for method, steps in (("sfnet", True), ("backtal", False)):
        plan = resolve(load(tmp_path, f"method: {method}\n{DATA}{axis}{', steps: 96' if steps else ''}}}\n"))
        whole, half = (trial.spec.hyperparameters for trial in plan.trials)
        assert half["epochs"] == pytest.approx((2 if steps else 1) * whole["epochs"], abs=1)
