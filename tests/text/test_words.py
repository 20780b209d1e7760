"""Counts and lists in sentences."""

from __future__ import annotations

from tal_search.text.words import counted, some_of


def test_a_noun_follows_its_number() -> None:
    assert [counted(number, "fit") for number in (0, 1, 2)] == ["0 fits", "1 fit", "2 fits"]


def test_a_long_list_ends_with_the_number_of_the_rest() -> None:
    assert some_of(["a", "b"], 2) == "a, b"
    assert some_of(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert some_of([]) == ""
