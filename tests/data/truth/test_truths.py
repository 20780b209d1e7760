"""Properties of a ground truth: gaps, labels, durations, instances clipped to their video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truths import background_gaps, lasting, present, rows_by_video, stated_seconds, within
from tests.support.paths import FIXTURES
from tests.support.small_truths import annotations, overlapping


def test_real_gaps() -> None:
    truth = read_annotations(FIXTURES / "thumos14" / "gt_hrpro.json", "Validation")
    gaps = [background_gaps(truth, index, float(duration)) for index, duration in enumerate(truth.duration)]
    assert sum(map(len, gaps)) == 2880
    assert truth.duration.sum() / 60 == pytest.approx(696.7, abs=0.05)


def test_gaps_include_head_and_tail_and_merge_overlaps() -> None:
    truth = overlapping()
    assert background_gaps(truth, 0, 30.0).tolist() == [[0, 5], [13, 20], [28, 30]]
    assert background_gaps(truth, 149, 30.0).tolist() == [[0, 30]]


ROWS = [("v", "b", 3.0, 4.0), ("u", "a", 5.0, 5.0), ("v", "a", 1.0, 2.0)]


def test_labels_and_rows_by_video() -> None:
    truth = annotations(ROWS)
    assert present(truth).tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert [rows.tolist() for rows in rows_by_video(truth)] == [[1], [0, 2], []]


def test_instances_of_no_length_are_dropped_where_nothing_can_be_seen() -> None:
    kept = lasting(annotations(ROWS))
    assert (kept.videos, kept.video.tolist(), kept.label.tolist()) == (("u", "v", "w"), [1, 1], [1, 0])
    assert kept.segment.tolist() == [[3, 4], [1, 2]]


def test_no_click_is_outside_a_video_of_unknown_duration() -> None:
    truth = replace(annotations(ROWS), duration=np.array([9.0, np.nan, 2.5]))
    assert stated_seconds(truth) == {"u": 9.0, "v": np.inf, "w": 2.5}


def test_instances_are_clipped_to_their_video_and_dropped_where_nothing_is_left() -> None:
    rows = [
        ("v", "b", -3.0, 4.0),
        ("u", "a", 5.0, 12.0),
        ("v", "a", 9.5, 20.0),
        ("v", "a", -2.0, -1.0),
        ("u", "c", 9, 11),
    ]
    truth = annotations(rows)
    kept = within(truth, np.array([9.0, 9.75, 2.5]))
    assert (kept.video.tolist(), kept.label.tolist()) == ([1, 0, 1], [1, 0, 0])
    assert kept.segment.tolist() == [[0, 4], [5, 9], [9.5, 9.75]]
