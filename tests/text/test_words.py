"""Counts and lists in sentences."""

from __future__ import annotations

import math

import pytest

from tal_search.text.words import counted, some_of, time_words


def test_a_noun_follows_its_number() -> None:
    assert [counted(number, "fit") for number in (0, 1, 2)] == ["0 fits", "1 fit", "2 fits"]


def test_a_long_list_ends_with_the_number_of_the_rest() -> None:
    assert some_of(["a", "b"], 2) == "a, b"
    assert some_of(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert some_of([]) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (40.4, "40 s"), (89.9, "90 s"), (90, "1.5 min"), (390, "6.5 min"), (5399, "90.0 min"),
        (5400, "1.5 h"), (18720, "5.2 h"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_a_time_is_in_the_unit_that_people_read(seconds: float, words: str) -> None:
    assert time_words(seconds) == words
