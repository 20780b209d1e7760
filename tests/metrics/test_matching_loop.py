"""The compiled loops against plain ones, which choose among all pairs anew at every step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from tal_search.metrics.matching_loop import match_detections, match_instances
from tests.support.naive_scorer import Rows, Scored, tIoU
from tests.support.small_truths import rows, scored

THRESHOLDS = (0.1, 0.5, 1.0)


def of_one_class(found: Scored, truth: Rows) -> tuple[Scored, Rows]:
    """Detections by descending score, instances by video, all of one class."""
    return sorted(found, key=lambda row: -row[4]), sorted(truth, key=lambda row: row[0])


def arrays(found: Scored, truth: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    first_G = np.searchsorted(np.array(["uvw".index(row[0]) for row in truth], np.int64), np.arange(4))
    return (
        np.array([row[2:4] for row in found], np.float64).reshape(-1, 2),
        np.array(["uvw".index(row[0]) for row in found], np.int64),
        np.array([row[2:4] for row in truth], np.float64).reshape(-1, 2), first_G, np.array(THRESHOLDS),
    )  # fmt: skip


def detections_choose(found: Scored, truth: Rows, threshold: float) -> list[int]:
    taken: list[int] = []
    for row in found:
        free = [(tIoU(row, other), g) for g, other in enumerate(truth) if other[0] == row[0] and g not in taken]
        overlap, best = max(free, default=(0.0, -1))
        taken.append(best if overlap >= threshold else -1)
    return taken


def instances_choose(found: Scored, truth: Rows, threshold: float) -> list[int]:
    taken = [-1] * len(found)
    for g, other in enumerate(truth):
        free = [(tIoU(row, other), -d) for d, row in enumerate(found) if row[0] == other[0] and taken[d] < 0]
        overlap, best = max(free, default=(0.0, 0))
        if overlap > threshold:
            taken[-best] = g
    return taken


@settings(max_examples=60)
@given(scored(), rows(1))
def test_both_rules_equal_their_plain_loops(found: Scored, truth: Rows) -> None:
    found, truth = of_one_class(found, truth)
    for match, plain in ((match_detections, detections_choose), (match_instances, instances_choose)):
        expected = [plain(found, truth, threshold) for threshold in THRESHOLDS]
        assert match(*arrays(found, truth)).tolist() == expected


@pytest.mark.parametrize("match", [match_detections, match_instances])
def test_a_detection_in_no_video_and_instances_without_length_match_nothing(
    match: Callable[..., np.ndarray],
) -> None:
    segments, thresholds = np.array([[0.0, 5.0], [3.0, 3.0]]), np.array([0.1])
    first_G = np.array([0, 2])
    assert match(segments, np.array([-1, -1]), segments, first_G, thresholds).tolist() == [[-1, -1]]
    assert match(segments, np.array([0, 0]), segments, first_G, thresholds).tolist() == [[0, -1]]
