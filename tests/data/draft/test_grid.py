"""What detections on a grid can reach, against a search over all segments of the grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.draft.grid import best_overlap, lengths, lengths_in, reachable
from tal_search.types import Annotations


def truth(*segments: tuple[float, float], labels: tuple[int, ...] = (), duration: float = 20.0) -> Annotations:
    return Annotations(
        videos=("v",), classes=("a", "b"), video=np.zeros(len(segments), np.int64),
        label=np.array(labels or (0,) * len(segments)), segment=np.array(segments, np.float64),
        duration=np.array([duration]),
    )  # fmt: skip


@given(st.floats(0, 15), st.floats(0.05, 5), st.sampled_from([0.3, 1.0, 2.0]))
def test_the_best_segment_is_that_of_a_search(start: float, length: float, step: float) -> None:
    end = start + length
    points = np.arange(0, 100) * step
    best = 0.0
    for first in points[points <= end + step]:
        for last in points[(points > first) & (points <= end + 2 * step)]:
            shared = max(0.0, min(last, end) - max(first, start))
            best = max(best, shared / (max(last, end) - min(first, start)))
    assert best_overlap(truth((start, end)), np.array([step]))[0] == pytest.approx(best, abs=1e-9)


def test_the_ceiling_is_the_mean_over_classes_of_the_instances_within_reach() -> None:
    seen = truth((0, 4), (5, 5.4), (8, 10), labels=(0, 0, 1))
    assert reachable(seen, np.array([2.0]), 0.5) == 0.75
    assert np.isnan(reachable(truth(), np.array([1.0]), 0.5))


def test_an_instance_of_no_length_is_out_of_reach_and_has_none() -> None:
    seen = truth((3, 3), (4, 6))
    assert best_overlap(seen, np.array([1.0])).tolist() == [0, 1]
    assert lengths(seen).tolist() == [2]
    assert lengths_in(seen, np.array([0.5])).tolist() == [4]
