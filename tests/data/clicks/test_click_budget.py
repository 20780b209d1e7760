"""Budgets of background clicks: a share or clicks per minute, nested, for the whole study or for one case."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.clicks.click_budget import within_budget
from tal_search.data.clicks.clicks import BACKGROUND, Clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.plan_frame import study_frame, supervision_words
from tal_search.results.case_comparison import comparison_info
from tal_search.study import load_study
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, NO_ANNOTATOR, VIDEO_LABELS
from tests.support.small_fits import make_data, make_spec, run
from tests.support.study_files import load, problems

DATA = make_data()


def kept(clicks: Clicks, seconds: list[float], **budget: float) -> set[tuple[int, float]]:
    spec = dataclasses.replace(DATA, **budget)
    found = within_budget(spec, clicks, np.array(seconds))
    assert len(found.label) == len(found.spent) == len(found.time)
    assert (np.diff(found.video) >= 0).all()
    return set(zip(found.video.tolist(), found.time.tolist(), strict=True))


@given(
    st.lists(st.tuples(st.floats(1, 300), st.integers(0, 12)), min_size=1, max_size=6),
    st.floats(0.01, 9),
    st.floats(0.01, 9),
)
def test_so_many_clicks_a_minute_are_kept_in_each_video_and_fewer_are_a_part_of_more(
    videos: list[tuple[float, int]], one: float, other: float
) -> None:
    seconds = [length for length, _ in videos]
    rows = [(video, length * (k + 1) / 20, BACKGROUND) for video, (length, n) in enumerate(videos) for k in range(n)]
    clicks = Clicks.of(BACKGROUND_CLICKS, "A1", tuple(f"v{number}" for number in range(len(videos))), rows)
    fewer, more = (kept(clicks, seconds, clicks_per_minute=limit) for limit in sorted((one, other)))
    assert fewer <= more <= {(video, time) for video, time, _ in rows}
    for video, (length, made) in enumerate(videos):
        wanted = max(one, other) * length / 60
        count = sum(row == video for row, _ in more)
        assert min(made, math.floor(wanted)) <= count <= min(made, math.floor(wanted) + 1)


def test_short_videos_get_their_share_of_a_budget_in_clicks_per_minute() -> None:
    names = tuple(f"v{number}" for number in range(600))
    rows = [(video, 1.0 + click, BACKGROUND) for video in range(600) for click in range(5)]
    for annotator in ("A1", "A2"):
        clicks = Clicks.of(BACKGROUND_CLICKS, annotator, names, rows)
        assert len(kept(clicks, [20.0] * 600, clicks_per_minute=1.0)) == pytest.approx(200, abs=35)  # 3 deviations


def test_a_budget_is_of_background_clicks_alone() -> None:
    clicks = Clicks.of(ACTION_CLICKS, "A1", ("v",), [(0, 1.0, 2), (0, 5.0, 3)])
    assert len(kept(clicks, [60.0], shares={"background_clicks": 0.1})) == 2
    assert len(kept(clicks, [60.0], clicks_per_minute=0.1)) == 2


def test_a_budget_enters_the_key_where_the_clicks_are_read() -> None:
    spec = make_spec(DATA)
    budgets = [{}, {"shares": {"background_clicks": 0.5}}, {"clicks_per_minute": 0.5}, {"clicks_per_minute": 2.0}]
    specs = [dataclasses.replace(spec, dataset=dataclasses.replace(DATA, **budget)) for budget in budgets]
    assert len({one.key for one in specs}) == len(budgets)
    unread = [dataclasses.replace(one, supervision=(VIDEO_LABELS,)) for one in specs]
    assert len({one.key for one in unread}) == 1
    assert all(type(one).from_json(one.to_json()) == one for one in specs)


CASES = """
dataset: {source: simulated, clicks_fraction: 0.5, simulation: {train_videos: 24, test_videos: 20, channels: 8}}
search:
  plan: cases
  cases:
    the study's: {}
    none: {clicks_fraction: 0}
    all: {clicks_fraction: 1}
    one a minute: {clicks_per_minute: 1}
  repeats: {seeds: [0, 1], annotators: [A1, A2]}
"""


def planned(folder: Path, *overrides: str) -> Plan:
    return resolve(load(folder, CASES, *overrides))


def budget_of(spec: DatasetSpec) -> tuple[float, float | None]:
    return spec.share("background_clicks"), spec.clicks_per_minute


def test_a_case_has_its_own_budget_before_the_studys(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    found = {case: [t for t in plan.trials if t.cell["case"] == case] for case in plan.cases}
    assert {case: budget_of(trials[0].spec.dataset) for case, trials in found.items()} == {
        "the study's": (0.5, None), "none": (0, None), "all": (1, None), "one a minute": (1, 1.0),
    }  # fmt: skip
    assert {case: len(trials) for case, trials in found.items()} == dict.fromkeys(found, 4) | {"none": 2}
    assert {trial.spec.supervision for trial in found["none"]} == {(VIDEO_LABELS,)}
    assert {trial.spec.annotator for trial in found["none"]} == {NO_ANNOTATOR}
    assert len({trial.spec.key for trial in plan.trials}) == 14
    cost = {case: [trial.annotation_seconds for trial in trials] for case, trials in found.items()}
    assert cost["none"] == [45, 45]
    for half, full in zip(cost["the study's"], cost["all"], strict=True):
        assert half - 45 == pytest.approx((full - 45) / 2, abs=0.02), "whole clicks"
        assert 45 < half < full
    rows = comparison_info(study_frame(plan, plan.trials, {}), supervision_words(plan)).rows.set_index("case")
    assert rows["seconds"].to_dict() == pytest.approx({case: np.mean(values) for case, values in cost.items()})
    assert rows["supervision"].tolist() == ["background clicks", "video labels", *["background clicks"] * 2]


def test_two_budgets_in_one_place_are_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, CASES, "dataset.clicks_per_minute=2", "search.cases.all.clicks_per_minute=2")
    for place, sentence in zip(("search.cases.all", "dataset"), found, strict=True):
        assert f"{place}.clicks_per_minute is given beside clicks_fraction; keep one of them" in sentence
    (sentence,) = problems(tmp_path, CASES, "search.cases.all.clicks_fraction=1.5")
    assert "search.cases.all.clicks_fraction is 1.5; it must be at most 1" in sentence


def test_the_study_of_budgets_goes_from_video_labels_to_all_clicks_of_three_annotators() -> None:
    plan = resolve(load_study("click_budget", ["dataset.source=simulated", "search.repeats.seeds=[0]"]))
    assert len(plan.trials) == 1 + 4 * 3
    shares = [case.budget.background_clicks for case in plan.cases.values()]
    assert shares == [0, 0.1, 0.25, 0.5, 1]
    seconds = comparison_info(study_frame(plan, plan.trials, {})).rows["seconds"].tolist()
    assert seconds[0] == 45
    for share, cost in zip(shares, seconds, strict=True):
        assert cost - 45 == pytest.approx(share * (seconds[-1] - 45), abs=0.005)
    assert all(one < other for one, other in itertools.pairwise(seconds))


@pytest.mark.usefixtures("one_thread")
def test_a_trial_with_no_clicks_left_trains_on_the_video_labels(tmp_path: Path) -> None:
    none = dataclasses.replace(make_spec(DATA, epochs=2), supervision=(VIDEO_LABELS,), annotator=NO_ANNOTATOR)
    off = make_spec(DATA, epochs=2, frame_weight=0, lambda_sep=0, beta_aff=0)
    assert run(none, tmp_path / "none").mAP == run(off, tmp_path / "off").mAP
