"""Groups in names: people before recordings, no groups of one video each, and none that only count cuts."""

from __future__ import annotations

import re

import pytest

from tal_search.data.draft.name_groups import name_groups


@pytest.mark.parametrize(
    ("names", "pattern", "number", "people"),
    [
        (["exp01_user01", "exp02_user01", "exp03_user02", "exp04_user02"], r"user(\d+)", 2, True),
        (["exp1_user1_00", "exp1_user1_01", "exp2_user2_00", "exp2_user2_01"], r"user(\d+)", 2, True),
        (["S1_Tea_C1", "S1_Ham_C1", "S2_Tea_C1", "S2_Ham_C1"], r"S(\d+)", 2, True),
        (["00_Desk1", "00_Door1", "01_Desk1", "01_Door1"], r"^(\d+)\D", 2, False),
        (["days1_p1", "days2_p1", "days1_p2", "days2_p2"], r"p(\d+)", 2, True),
    ],
)  # fmt: skip
def test_groups(names: list[str], pattern: str, number: int, people: bool) -> None:
    groups = name_groups(names)
    assert groups is not None
    assert (groups.pattern, groups.number, groups.people) == (pattern, number, people)
    assert {name: re.search(pattern, name)[1] for name in names} == groups.groups  # type: ignore[index]


@pytest.mark.parametrize(
    "names",
    [[], ["video_val_0001", "video_val_0002"], ["a", "b"], ["clip1_x", "clip1_y"], ["p1_a", "p1_b"], ["p1_a", "q"]],
)
def test_no_groups(names: list[str]) -> None:
    assert name_groups(names) is None


def test_a_word_is_not_the_end_of_a_longer_one() -> None:
    groups = name_groups(["s1_pass7", "s1_pass8", "s2_pass7", "s2_pass8"])
    assert groups is not None
    assert groups.groups == {"s1_pass7": "1", "s1_pass8": "1", "s2_pass7": "2", "s2_pass8": "2"}


def test_groups_of_both_splits() -> None:
    groups = name_groups(["u1_a", "u1_b", "u2_a", "u2_b"])
    assert groups is not None
    assert groups.shared(["u1_a", "u2_a"], ["u2_b"]) == {"2"}
