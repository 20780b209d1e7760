"""Disjoint splits: training and test videos, held-out training videos, and a subset's ground truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.splits import holdout_split, require_disjoint, restrict
from tal_search.errors import LISTED, InputError
from tests.support.small_truths import annotations


def test_videos_of_both_splits_are_named_and_of_many_the_first() -> None:
    require_disjoint("abc", "de")
    with pytest.raises(InputError, match=r"in the test split \(2\): b, c; remove each from one of them"):
        require_disjoint("cba", "bcd")
    many = [f"v{index:03d}" for index in range(LISTED + 5)]
    with pytest.raises(InputError, match=rf"\({LISTED + 5}\): v000, .*v019 and 5 more;"):
        require_disjoint(many, many)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.floats(0.05, 0.6), st.integers(0, 9))
def test_of_each_class_its_share_is_held_out_and_never_all(labels: list[int], fraction: float, seed: int) -> None:
    labels_NC = np.eye(4, dtype=np.float32)[labels]
    expected = {label: min(round(fraction * labels.count(label)), labels.count(label) - 1) for label in set(labels)}
    if not sum(expected.values()):
        with pytest.raises(InputError, match="holds out none of the"):
            holdout_split(labels_NC, fraction, seed)
        return
    trained, held = holdout_split(labels_NC, fraction, seed)
    assert sorted([*trained.tolist(), *held.tolist()]) == list(range(len(labels)))
    assert {label: [labels[row] for row in held].count(label) for label in set(labels)} == expected
    assert holdout_split(labels_NC, fraction, seed)[1].tolist() == held.tolist() == sorted(held.tolist())


def test_a_ground_truth_is_restricted_to_the_given_videos_in_their_order() -> None:
    rows = [("u", "a", 0.0, 1.0), ("w", "b", 2.0, 3.0), ("u", "c", 4.0, 5.0)]
    truth = replace(annotations(rows), duration=np.array([10.0, 20.0, 30.0]), ambiguous=annotations(rows[1:2]))
    part = restrict(truth, ("w", "u", "x"))
    assert part.videos == ("w", "u", "x")
    assert part.video.tolist() == [1, 0, 1]
    assert part.segment.tolist() == [[0, 1], [2, 3], [4, 5]]
    np.testing.assert_array_equal(part.duration, [30, 10, np.nan])
    assert part.ambiguous is not None
    assert part.ambiguous.video.tolist() == [0]
    assert restrict(truth, ("v",)).video.tolist() == []
