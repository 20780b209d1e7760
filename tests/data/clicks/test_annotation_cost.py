"""Annotation cost: published seconds, other rates by hand, and the cost of each trial of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.data.clicks.annotation_cost import CostModel, annotation_seconds
from tal_search.data.simulation.clickers import simulate_clicks
from tal_search.data.simulation.videos import simulated_truths
from tal_search.plan.compatibility import fixed_settings
from tal_search.plan.plan import resolve
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, INSTANCES, VIDEO_LABELS
from tests.support.study_files import load, problems

PUBLISHED = {
    (VIDEO_LABELS,): 45,
    (VIDEO_LABELS, BACKGROUND_CLICKS): 48,
    (VIDEO_LABELS, ACTION_CLICKS): 50,
    (VIDEO_LABELS, ACTION_CLICKS, BACKGROUND_CLICKS): 53,
    (VIDEO_LABELS, INSTANCES): 300,
}


@pytest.mark.parametrize("supervision", PUBLISHED)
def test_the_published_seconds_are_met_at_the_rates_of_thumos14(supervision: tuple[str, ...]) -> None:
    assert annotation_seconds(supervision) == pytest.approx(PUBLISHED[supervision], rel=1e-14)


def test_the_times_of_one_click_are_published_seconds_over_released_counts() -> None:
    fitted = CostModel()
    minutes = 41801.597 / 60
    assert fitted.seconds_per_background_click == pytest.approx(3 * 3 * minutes / (2264 + 2323 + 2344))
    assert fitted.seconds_per_background_click == pytest.approx(0.9047, abs=1e-4)
    assert fitted.seconds_per_action_click == pytest.approx(1.1710, abs=1e-4)
    assert fitted.seconds_per_instance == pytest.approx(59.160, abs=1e-3)


def test_other_rates_and_other_costs_by_hand() -> None:
    cost = CostModel(watching=30, seconds_per_background_click=2, seconds_per_action_click=3, seconds_per_instance=40)
    rates = {BACKGROUND_CLICKS: 1.5, ACTION_CLICKS: 4.0, INSTANCES: 2.0}
    assert annotation_seconds((VIDEO_LABELS,), rates, cost) == 30
    assert annotation_seconds((VIDEO_LABELS, BACKGROUND_CLICKS), rates, cost) == 30 + 1.5 * 2
    assert annotation_seconds((BACKGROUND_CLICKS, ACTION_CLICKS), rates, cost) == 30 + 1.5 * 2 + 4 * 3
    assert annotation_seconds((VIDEO_LABELS, INSTANCES), rates, cost) == 30 + 2 * 40


STUDY = """
dataset: {source: simulated, simulation: {train_videos: 24, test_videos: 20, channels: 8}}
search: {axes: {frame_weight: [0]}, repeats: {annotators: [A1, uniform]}}
hyperparameters: {lambda_sep: 0, beta_aff: 0}
"""


def test_each_trial_is_charged_the_clicks_it_reads_by_the_studys_cost(tmp_path: Path) -> None:
    plan = resolve(load(tmp_path, STUDY, "cost={watching: 30, seconds_per_background_click: 2}"))
    truth = simulated_truths(plan.study.dataset.simulation)[0]
    clicks = [simulate_clicks(BACKGROUND_CLICKS, truth, truth.duration, name, 0).time for name in ("A1", "uniform")]
    expected = [30 + 2 * len(times) / (truth.duration.sum() / 60) for times in clicks]
    assert [trial.annotation_seconds for trial in plan.trials] == pytest.approx([*expected, 30])
    assert [trial.spec.annotator for trial in plan.trials] == ["A1", "uniform", "none"]
    published = resolve(load(tmp_path, STUDY))
    assert [trial.id for trial in published.trials] == [trial.id for trial in plan.trials], "a cost changes no trial"
    assert fixed_settings(published)["cost"] != fixed_settings(plan)["cost"], "but a study is of one cost model"


def test_a_cost_that_is_none_is_refused(tmp_path: Path) -> None:
    misspelt, negative = problems(tmp_path, STUDY, "cost.watching=-1", "cost.seconds_per_backgroundclick=1")
    assert "backgroundclick is unknown; did you mean 'seconds_per_background_click'? (value seen: 1)" in misspelt
    assert "cost.watching is -1; it must be at least 0" in negative
