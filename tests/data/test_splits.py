"""Disjoint splits: training and test videos, held-out training videos, and a subset's ground truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.splits import group_names, holdout_split, protocol_holdout, require_disjoint, restrict
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


@given(st.lists(st.integers(1, 9), min_size=2, max_size=60), st.floats(0.05, 0.9), st.integers(0, 9))
def test_groups_are_held_out_whole(people: list[int], fraction: float, seed: int) -> None:
    videos = tuple(f"exp{row:02d}_user{person}_{row}" for row, person in enumerate(people))
    protocol = {"holdout_fraction": fraction, "holdout_seed": seed, "holdout_by": r"user(\d+)"}
    labels_NC, count = np.ones((len(videos), 1), np.float32), len(set(people))
    if not 0 < round(fraction * count) < count:
        with pytest.raises(InputError, match="at least one must be held out and one stay"):
            protocol_holdout(videos, labels_NC, protocol)
        return
    trained, held = protocol_holdout(videos, labels_NC, protocol)
    assert sorted([*trained.tolist(), *held.tolist()]) == list(range(len(videos)))
    assert not {people[row] for row in trained} & {people[row] for row in held}
    assert len({people[row] for row in held}) == round(fraction * count)


def test_without_groups_videos_are_held_out_by_class() -> None:
    labels_NC = np.eye(2, dtype=np.float32)[[0, 1] * 10]
    held = protocol_holdout(("v",) * 20, labels_NC, {"holdout_fraction": 0.2, "holdout_seed": 3})[1]
    assert held.tolist() == holdout_split(labels_NC, 0.2, 3)[1].tolist()


def test_a_group_is_the_first_bracket_or_the_match_and_names_without_one_are_refused() -> None:
    assert group_names(("exp01_user07", "exp02_user12"), r"user(\d+)") == ("07", "12")
    assert group_names(("exp01_user07", "exp02_user12"), r"exp\d+") == ("exp01", "exp02")
    with pytest.raises(InputError, match=r"matches nothing in 1 of 2 training videos \(b\)"):
        group_names(("user1", "b"), r"user(\d+)")
