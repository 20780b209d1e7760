"""What annotation costs: the published seconds, other rates by hand, and what each trial of a study is charged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.clicks.annotation_cost import THUMOS14_RATES, CostModel, annotation_seconds
from tal_search.data.clicks.annotation_rates import annotation_rates
from tal_search.data.simulation.clickers import simulate_clicks
from tal_search.data.simulation.videos import simulated_truths
from tal_search.plan.compatibility import settings_of
from tal_search.plan.plan import resolve
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, INSTANCES, VIDEO_LABELS, DatasetSpec
from tests.support.make_dataset import edit_json, found
from tests.support.study_files import load, problems

PUBLISHED = {
    (VIDEO_LABELS,): 45,
    (VIDEO_LABELS, BACKGROUND_CLICKS): 48,
    (VIDEO_LABELS, ACTION_CLICKS): 50,
    (VIDEO_LABELS, ACTION_CLICKS, BACKGROUND_CLICKS): 53,
    (VIDEO_LABELS, INSTANCES): 300,
}
MINUTES = (40 + 41 + 42 + 43) / 60  # of the small dataset's training videos


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


def test_the_rates_of_the_released_files_are_those_of_the_model(shared: Path) -> None:
    spec = found(shared / "data" / "thumos14_evidence")
    for kind, annotators in ((BACKGROUND_CLICKS, ("A1", "A2", "A3")), (ACTION_CLICKS, ("A1", "A2", "A3", "A4"))):
        rates = [annotation_rates(spec, annotator, (VIDEO_LABELS, kind)) for annotator in annotators]
        assert np.mean([rate[kind] for rate in rates]) == pytest.approx(THUMOS14_RATES[kind], rel=1e-12)
        assert rates[0][INSTANCES] == pytest.approx(THUMOS14_RATES[INSTANCES], rel=1e-12)
        seconds = [annotation_seconds((VIDEO_LABELS, kind), rate) for rate in rates]
        assert np.mean(seconds) == pytest.approx(PUBLISHED[VIDEO_LABELS, kind], rel=1e-12)
    tenth = dataclasses.replace(spec, clicks_fraction=0.1)
    rate = annotation_rates(tenth, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS]
    assert rate == pytest.approx(226 / 696.7, rel=1e-4), "226 of A1's 2264 clicks"


def test_clicks_are_counted_in_the_files_that_a_trial_reads(root: Path) -> None:
    spec = found(root)
    assert annotation_rates(spec, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(12 / MINUTES)
    assert annotation_rates(spec, "A2", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(4 / MINUTES)
    assert annotation_rates(spec, "none", (INSTANCES,))[INSTANCES] == pytest.approx(8 / MINUTES)
    half = dataclasses.replace(spec, clicks_fraction=0.5)
    assert annotation_rates(half, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(6 / MINUTES)
    one = dataclasses.replace(spec, clicks_per_minute=100.0)
    assert annotation_rates(one, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(12 / MINUTES)


def thumos14_stands_in(spec: DatasetSpec, annotator: str) -> bool:
    full, tenth, one = (
        annotation_rates(dataclasses.replace(spec, **budget), annotator, (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS]
        for budget in ({}, {"clicks_fraction": 0.1}, {"clicks_per_minute": 1.0})
    )
    rate = THUMOS14_RATES[BACKGROUND_CLICKS]
    return (full, tenth, one) == (rate, pytest.approx(rate / 10), 1.0)


def test_what_cannot_be_counted_is_taken_to_be_as_often_as_on_thumos14(root: Path) -> None:
    edit_json(root / "gt_thumos14.json", lambda content: content["database"]["video_val_0001"].pop("duration"))
    assert thumos14_stands_in(found(root), "A1"), "a video without a duration"
    for path in root.glob("clicks_*"):
        path.unlink()
    assert thumos14_stands_in(found(root), "embedded"), "clicks in the feature files"


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
    assert settings_of(published)["cost"] != settings_of(plan)["cost"], "but a study is of one cost model"


def test_a_cost_that_is_none_is_refused(tmp_path: Path) -> None:
    misspelt, negative = problems(tmp_path, STUDY, "cost.watching=-1", "cost.seconds_per_backgroundclick=1")
    assert "backgroundclick is unknown; did you mean 'seconds_per_background_click'? (value seen: 1)" in misspelt
    assert "cost.watching is -1; it must be at least 0" in negative
