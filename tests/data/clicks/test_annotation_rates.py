"""Clicks and instances per minute of video: counted in files, assumed where that is impossible."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.clicks.annotation_cost import THUMOS14_RATES, annotation_seconds
from tal_search.data.clicks.annotation_rates import labelled, labelled_videos
from tal_search.data.clicks.drawn_clicks import Clickers, with_drawn_clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.load import load_truths
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, INSTANCES, VIDEO_LABELS
from tests.support.make_dataset import edit_json, found
from tests.support.subjects import folded, write_truth

PUBLISHED = {BACKGROUND_CLICKS: 48, ACTION_CLICKS: 50}  # seconds per minute of video
MINUTES = (40 + 41 + 42 + 43) / 60  # of the small dataset's training videos


def test_the_rates_of_the_released_files_are_those_of_the_model(shared: Path) -> None:
    spec = found(shared / "data" / "thumos14_evidence")
    for kind, annotators in ((BACKGROUND_CLICKS, ("A1", "A2", "A3")), (ACTION_CLICKS, ("A1", "A2", "A3", "A4"))):
        rates = [labelled(spec, annotator, (VIDEO_LABELS, kind)).rates for annotator in annotators]
        assert np.mean([rate[kind] for rate in rates]) == pytest.approx(THUMOS14_RATES[kind], rel=1e-12)
        assert rates[0][INSTANCES] == pytest.approx(THUMOS14_RATES[INSTANCES], rel=1e-12)
        seconds = [annotation_seconds((VIDEO_LABELS, kind), rate) for rate in rates]
        assert np.mean(seconds) == pytest.approx(PUBLISHED[kind], rel=1e-12)
    tenth = dataclasses.replace(spec, shares={"background_clicks": 0.1})
    rate = labelled(tenth, "A1", (BACKGROUND_CLICKS,)).rates[BACKGROUND_CLICKS]
    assert rate == pytest.approx(226 / 696.7, rel=1e-4), "226 of A1's 2264 clicks"


def test_clicks_are_counted_in_the_files_that_a_trial_reads(root: Path) -> None:
    spec = found(root)
    assert labelled(spec, "A1", (BACKGROUND_CLICKS,)).rates[BACKGROUND_CLICKS] == pytest.approx(12 / MINUTES)
    assert labelled(spec, "A2", (BACKGROUND_CLICKS,)).rates[BACKGROUND_CLICKS] == pytest.approx(4 / MINUTES)
    assert labelled(spec, "none", (INSTANCES,)).rates[INSTANCES] == pytest.approx(8 / MINUTES)
    half = dataclasses.replace(spec, shares={"background_clicks": 0.5})
    assert labelled(half, "A1", (BACKGROUND_CLICKS,)).rates[BACKGROUND_CLICKS] == pytest.approx(6 / MINUTES)
    one = dataclasses.replace(spec, clicks_per_minute=100.0)
    assert labelled(one, "A1", (BACKGROUND_CLICKS,)).rates[BACKGROUND_CLICKS] == pytest.approx(12 / MINUTES)


def thumos14_stands_in(spec: DatasetSpec, annotator: str) -> bool:
    full, tenth, one = (
        labelled(dataclasses.replace(spec, **budget), annotator, (BACKGROUND_CLICKS,)).rates[BACKGROUND_CLICKS]
        for budget in ({}, {"shares": {"background_clicks": 0.1}}, {"clicks_per_minute": 1.0})
    )
    rate = THUMOS14_RATES[BACKGROUND_CLICKS]
    return (full, tenth, one) == (rate, pytest.approx(rate / 10), 1.0)


def test_what_cannot_be_counted_is_taken_to_be_as_often_as_on_thumos14(root: Path) -> None:
    edit_json(root / "gt_thumos14.json", lambda content: content["database"]["video_val_0001"].pop("duration"))
    assert thumos14_stands_in(found(root), "A1"), "a video without a duration"
    for path in root.glob("clicks_*"):
        path.unlink()
    assert thumos14_stands_in(found(root), "embedded"), "clicks in the feature files"


def test_drawn_clicks_are_counted_once_in_the_cost_of_folds(tmp_path: Path) -> None:
    spec = with_drawn_clicks(folded(write_truth(tmp_path), 3), Clickers(action="uniform", annotators=1))
    minutes = load_truths(spec)[0].duration.sum() / 60
    rates = labelled(spec, "S1", (VIDEO_LABELS, ACTION_CLICKS)).rates
    assert rates[ACTION_CLICKS] == pytest.approx(36 / minutes), "one click an instance"


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_fold_costs_what_it_trains_on(share: float, tmp_path: Path) -> None:
    """A subject tested by one fold of N is in the price of N - 1 of them."""
    spec = folded(write_truth(tmp_path, 6, 4), 3)
    whole = load_truths(spec)[0]
    folds = [dataclasses.replace(spec, fold=fold, shares={"videos": share}) for fold in range(3)]
    costs = [labelled(fold, "A1", (VIDEO_LABELS, INSTANCES)) for fold in folds]
    for fold, cost in zip(folds, costs, strict=True):
        kept = labelled_videos(fold, "A1", {"selection": "last"})
        tested = set(load_truths(fold)[1].videos)
        assert kept
        assert not kept & tested
        rows = [row for row, video in enumerate(whole.videos) if video in kept]
        assert cost.minutes == pytest.approx(whole.duration[rows].sum() / 60)
        assert cost.rates[INSTANCES] * cost.minutes == pytest.approx(np.isin(whole.video, rows).sum())
    if share == 1:
        assert sum(cost.minutes or 0 for cost in costs) == pytest.approx(2 * whole.duration.sum() / 60)
        assert labelled(spec, "A1", (INSTANCES,)).minutes == pytest.approx(whole.duration.sum() / 60)


def test_a_cost_that_is_unknown_in_one_fold_is_unknown_in_all(tmp_path: Path) -> None:
    path = write_truth(tmp_path)
    spec = folded(path, 3)
    edit_json(path, lambda content: content["database"]["exp01_user01"].pop("duration"))
    truths = [
        labelled(dataclasses.replace(spec, source="features", fold=fold), "none", (INSTANCES,)) for fold in (0, 1, 2)
    ]
    assert [cost.minutes for cost in truths] == [None] * 3
