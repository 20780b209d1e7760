"""Matches of detections with instances: rows by class, videos by name, ignored detections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tal_search.errors import InputError
from tal_search.metrics.matching import IGNORED, UNMATCHED, match_classes, positions, require_protocol, touches
from tests.support.naive_scorer import Rows, Scored
from tests.support.small_truths import annotations, detections, rows, scored

TRUTH: Rows = [("u", "b", 0, 10), ("v", "a", 0, 10), ("u", "a", 20, 30)]
FOUND: Scored = [("u", "a", 21, 30, 0.2), ("w", "a", 0, 9, 0.9), ("v", "a", 0, 9, 0.5), ("u", "b", 40, 50, 0.1)]


def test_matches_are_rows_of_detections_and_instances_by_descending_score() -> None:
    first, second = match_classes(annotations(TRUTH), detections(FOUND), (0.5, 0.95), protocol="activitynet")
    assert (first.name, second.name) == ("a", "b")
    assert first.detection.tolist() == [1, 2, 0]
    assert first.video.tolist() == [2, 1, 0]
    assert first.instances.tolist() == [2, 1]
    assert first.instance.tolist() == [[UNMATCHED, 1, 2], [UNMATCHED] * 3]
    assert first.hits.tolist() == [[False, True, True], [False] * 3]
    assert first.counted.all()
    assert second.instance.tolist() == [[UNMATCHED]] * 2


def test_a_detection_that_touches_an_ambiguous_instance_is_neither_right_nor_wrong() -> None:
    (match, _) = match_classes(
        annotations(TRUTH), detections(FOUND), (0.5,), protocol="thumos14", ambiguous=annotations([("w", "c", 8, 9)])
    )
    assert match.instance.tolist() == [[IGNORED, 1, 2]]
    assert match.counted.tolist() == [[False, True, True]]


def test_an_unknown_protocol_and_a_list_that_it_cannot_use_are_refused() -> None:
    with pytest.raises(InputError, match="protocol=thumos is unknown; available: activitynet, thumos14"):
        require_protocol("thumos")
    with pytest.raises(InputError, match="give no list"):
        require_protocol("activitynet", ambiguous=True)
    require_protocol("thumos14", ambiguous=True)


def test_names_are_positions_in_the_known_ones() -> None:
    assert positions(("c", "x", "a"), ("a", "b", "c")).tolist() == [2, -1, 0]
    assert positions((), ("a",)).tolist() == []


@given(scored(), rows(0, shortest=0))
def test_touching_is_shared_time_in_the_same_video(found: Scored, others: Rows) -> None:
    expected = [
        any(row[0] == other[0] and min(row[3], other[3]) > max(row[2], other[2]) for other in others) for row in found
    ]
    np.testing.assert_array_equal(touches(detections(found), annotations(others)), expected)
