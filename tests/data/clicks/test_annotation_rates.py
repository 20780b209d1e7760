"""Clicks and instances per minute of video: counted in files, assumed where that is impossible."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.clicks.annotation_cost import THUMOS14_RATES, annotation_seconds
from tal_search.data.clicks.annotation_rates import annotation_rates
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, INSTANCES, VIDEO_LABELS
from tests.support.make_dataset import edit_json, found

PUBLISHED = {BACKGROUND_CLICKS: 48, ACTION_CLICKS: 50}  # seconds per minute of video
MINUTES = (40 + 41 + 42 + 43) / 60  # of the small dataset's training videos


def test_the_rates_of_the_released_files_are_those_of_the_model(shared: Path) -> None:
    spec = found(shared / "data" / "thumos14_evidence")
    for kind, annotators in ((BACKGROUND_CLICKS, ("A1", "A2", "A3")), (ACTION_CLICKS, ("A1", "A2", "A3", "A4"))):
        rates = [annotation_rates(spec, annotator, (VIDEO_LABELS, kind)) for annotator in annotators]
        assert np.mean([rate[kind] for rate in rates]) == pytest.approx(THUMOS14_RATES[kind], rel=1e-12)
        assert rates[0][INSTANCES] == pytest.approx(THUMOS14_RATES[INSTANCES], rel=1e-12)
        seconds = [annotation_seconds((VIDEO_LABELS, kind), rate) for rate in rates]
        assert np.mean(seconds) == pytest.approx(PUBLISHED[kind], rel=1e-12)
    tenth = dataclasses.replace(spec, shares={"background_clicks": 0.1})
    rate = annotation_rates(tenth, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS]
    assert rate == pytest.approx(226 / 696.7, rel=1e-4), "226 of A1's 2264 clicks"


def test_clicks_are_counted_in_the_files_that_a_trial_reads(root: Path) -> None:
    spec = found(root)
    assert annotation_rates(spec, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(12 / MINUTES)
    assert annotation_rates(spec, "A2", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(4 / MINUTES)
    assert annotation_rates(spec, "none", (INSTANCES,))[INSTANCES] == pytest.approx(8 / MINUTES)
    half = dataclasses.replace(spec, shares={"background_clicks": 0.5})
    assert annotation_rates(half, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(6 / MINUTES)
    one = dataclasses.replace(spec, clicks_per_minute=100.0)
    assert annotation_rates(one, "A1", (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS] == pytest.approx(12 / MINUTES)


def thumos14_stands_in(spec: DatasetSpec, annotator: str) -> bool:
    full, tenth, one = (
        annotation_rates(dataclasses.replace(spec, **budget), annotator, (BACKGROUND_CLICKS,))[BACKGROUND_CLICKS]
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
