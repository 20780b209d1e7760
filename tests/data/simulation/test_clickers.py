"""Simulated annotators: a click a gap or instance, and the measured rates of humans."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tal_search.data.clicks.click_statistics import statistics_of
from tal_search.data.simulation.clickers import CLICKERS, HUMANS, simulate_clicks
from tal_search.data.simulation.videos import simulated_truths
from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truths import background_gaps
from tal_search.types import (
    ACTION_CLICKS,
    BACKGROUND_CLICKS,
    CLICKS,
    Annotations,
)
from tests.support.click_rates import count_inside, missed_by_length
from tests.support.make_dataset import SMALL
from tests.support.paths import FIXTURES
from tests.support.small_truths import overlapping


def simulated(truth: Annotations, annotator: str, seed: int) -> dict[str, np.ndarray]:
    return simulate_clicks(BACKGROUND_CLICKS, truth, truth.duration, annotator, seed).by_video()


@pytest.mark.parametrize("annotator", ["uniform", "gaussian"])
def test_machine_clickers_click_once_in_each_gap(annotator: str) -> None:
    truth = overlapping()
    clicks = simulated(truth, annotator, 0)
    assert tuple(clicks) == truth.videos
    for index, seconds in enumerate(clicks.values()):
        gaps = background_gaps(truth, index, 30.0)
        assert len(seconds) == len(gaps)
        assert all(start <= second <= end for second, (start, end) in zip(seconds, gaps, strict=True))


def test_gaussian_clicks_nearer_the_middle() -> None:
    truth = overlapping()
    away = {
        annotator: np.mean([abs(seconds[1] - 16.5) for seconds in list(clicks.values())[:-1]])
        for annotator in ("uniform", "gaussian")
        for clicks in [simulated(truth, annotator, 0)]
    }
    assert away["uniform"] == pytest.approx(7 / 4, rel=0.15)
    assert away["gaussian"] < 0.75 * away["uniform"]


@pytest.mark.parametrize("annotator", sorted(HUMANS))
def test_simulated_humans_miss_and_slip_at_their_rates(annotator: str) -> None:
    truth, human = overlapping(2000), HUMANS[annotator]
    clicks = simulated(truth, annotator, 3)
    count = sum(map(len, clicks.values()))
    assert missed_by_length(truth, clicks)[1] == pytest.approx(human.missed_long, abs=0.02)
    assert count_inside(truth, clicks) / count == pytest.approx(human.inside, abs=0.015)
    assert all((np.diff(seconds) >= 0).all() for seconds in clicks.values())
    assert all(((seconds >= 0) & (seconds <= 30)).all() for seconds in clicks.values())


@pytest.mark.parametrize(("annotator", "missed"), [("A1", 1036), ("A2", 615), ("A3", 811)])
def test_simulated_humans_on_the_real_timeline_miss_and_slip_as_often_as_the_real_ones(
    annotator: str, missed: int
) -> None:
    truth = read_annotations(FIXTURES / "thumos14" / "gt_hrpro.json", "Validation")
    found = [
        statistics_of(simulate_clicks(BACKGROUND_CLICKS, truth, truth.duration, annotator, seed), truth)
        for seed in range(8)
    ]
    assert np.mean([one.missed for one in found]) == pytest.approx(missed, rel=0.05)
    assert sum(one.inside for one in found) / sum(one.clicks for one in found) == pytest.approx(
        HUMANS[annotator].inside, rel=0.15
    )
    assert np.mean([one.clicks for one in found]) == pytest.approx(
        (2880 - missed) / (1 - HUMANS[annotator].inside), rel=0.03
    )


def test_draws_depend_on_seed_and_annotator_alone() -> None:
    truth = overlapping(40)
    draws = {
        (annotator, seed): np.concatenate(list(simulated(truth, annotator, seed).values())).tolist()
        for annotator in CLICKERS
        for seed in (0, 1)
    }
    assert len({tuple(draw) for draw in draws.values()}) == len(draws)
    again = np.concatenate(list(simulated(truth, "A1", 0).values())).tolist()
    assert again == draws["A1", 0]


@pytest.mark.parametrize("annotator", ["uniform", *sorted(HUMANS)])
def test_nobody_clicks_at_an_instance_of_no_length_nor_beside_it_for_its_sake(annotator: str) -> None:
    whole = simulated_truths(SMALL)[0]
    at = np.column_stack([whole.segment.mean(1), whole.segment.mean(1)])
    more = dataclasses.replace(
        whole, video=np.concatenate([whole.video, whole.video]), label=np.concatenate([whole.label, whole.label]),
        segment=np.concatenate([whole.segment, at]),
    )  # fmt: skip
    for kind in CLICKS:
        clicks, same = (simulate_clicks(kind, truth, whole.duration, annotator, 0) for truth in (whole, more))
        np.testing.assert_array_equal(clicks.time, same.time)


@pytest.mark.parametrize("annotator", CLICKERS)
@pytest.mark.parametrize("kind", CLICKS)
def test_nobody_clicks_outside_a_video_where_instances_are(annotator: str, kind: str) -> None:
    truth = overlapping(40)
    outside = np.array([[-9.0, -4.0], [-5.0, 12.0], [29.0, 60.0]])
    truth = dataclasses.replace(truth, segment=np.tile(outside, (39, 1)))
    clicks = simulate_clicks(kind, truth, truth.duration, annotator, 0)
    assert ((clicks.time >= 0) & (clicks.time <= 30)).all()
    assert len(clicks.time) > 30
    if annotator == "uniform" and kind == ACTION_CLICKS:
        assert len(clicks.time) == 2 * 39, "a click in each instance that is partly inside"
        assert not ((clicks.time > 12) & (clicks.time < 29)).any()


@pytest.mark.parametrize("annotator", ["uniform", "gaussian", *sorted(HUMANS)])
def test_simulated_action_clicks_lie_inside_their_instance_at_the_measured_rates(annotator: str) -> None:
    truth = simulated_truths(dataclasses.replace(SMALL, train_videos=400))[0]
    clicks = simulate_clicks(ACTION_CLICKS, truth, truth.duration, annotator, 0)
    rows = {(video, label): [] for video, label in zip(truth.video, truth.label, strict=True)}
    for segment, video, label in zip(truth.segment, truth.video, truth.label, strict=True):
        rows[video, label].append(segment)
    shares = []
    for video, time, label in zip(clicks.video, clicks.time, clicks.label, strict=True):
        (start, end) = next((start, end) for start, end in rows[video, label] if start <= time <= end)
        shares.append((time - start) / (end - start))
    missed = 1 - len(clicks.time) / len(truth.label)
    human = HUMANS.get(annotator)
    expected = (0, 0.5) if human is None else (human.missed_instance, human.position)
    spread = {"uniform": 12**-0.5, "gaussian": 1 / 6}.get(annotator) or HUMANS[annotator].position_spread
    assert (missed, np.mean(shares)) == pytest.approx(expected, abs=0.015)
    assert np.std(shares) == pytest.approx(spread, abs=0.015)
