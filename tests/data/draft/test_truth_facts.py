"""Facts of a small ground truth, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.data.draft.truth_facts import label_facts, split_facts
from tal_search.types import Annotations


def truth(rows: list[tuple[int, int, float, float]], videos: int = 3) -> Annotations:
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Annotations(
        videos=tuple("abc"[:videos]), classes=("w", "x", "y", "z"), video=table[:, 0].astype(np.int64),
        label=table[:, 1].astype(np.int64), segment=table[:, 2:], duration=np.full(videos, 10.0),
    )  # fmt: skip


def test_labels_of_classes_that_always_occur_together_tell_nothing() -> None:
    facts = label_facts(
        truth(
            [
                (0, 0, 0, 1),
                (0, 1, 2, 3),
                (1, 0, 0, 1),
                (1, 1, 0, 1),
                (2, 2, 0, 1),
                (0, 3, 0, 1),
                (1, 3, 0, 1),
                (2, 3, 0, 1),
            ]
        )
    )
    assert (facts.classes, facts.full, facts.everywhere, facts.together) == (4, 2, ("z",), (("w", "x"),))
    assert facts.a_video == pytest.approx(8 / 3)
    assert not facts.telling


def test_labels_of_different_classes_tell_something() -> None:
    facts = label_facts(truth([(0, 0, 0, 1), (1, 1, 0, 1), (2, 2, 0, 1)]))
    assert (facts.full, facts.everywhere, facts.together, facts.telling) == (0, (), (), True)


def test_a_split() -> None:
    facts = split_facts(truth([(0, 0, 2, 5), (0, 1, 4, 6), (0, 0, 4.5, 5.5), (1, 0, 0, 9.5)]))
    assert (facts.videos, facts.minutes, facts.instances, facts.bare) == (3, 0.5, 4, ("c",))
    assert (facts.overlapping, facts.alike) == (3, 2)
    assert facts.unlabelled == pytest.approx((2 + 4 + 0.5 + 10) / 30)
    assert facts.gaps == 3  # the half second at the end of b is too short


def test_a_split_without_instances() -> None:
    facts = split_facts(truth([]))
    assert (facts.bare, facts.unlabelled, facts.gaps) == (("a", "b", "c"), 1.0, 3)
    assert label_facts(truth([])).a_video == 0
