"""What is begun before it is asked for: the same as made then, given once, and never waited for in vain."""

from __future__ import annotations

import threading

import pytest

from tal_dashboards.app.prefetch import Ahead
from tal_search.errors import InputError


class Made:
    """Counts by query what it makes; holds the first one up until told."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, query: str) -> str:
        self.queries.append(query)
        if query == "slow":
            self.begun.set()
            assert self.go.wait(60)
        if query == "wrong":
            raise InputError("it cannot be read")
        return f"made of {query}"


def test_what_was_begun_is_given_once_and_then_made_anew() -> None:
    made = Made()
    ahead = Ahead(made)
    ahead.begin("slow")
    assert made.begun.wait(60)
    made.go.set()
    assert ahead("slow") == "made of slow"
    assert made.queries == ["slow"]
    assert ahead("slow") == "made of slow"
    assert made.queries == ["slow", "slow"]


def test_what_was_not_begun_is_made_now_and_nothing_else_is_waited_for() -> None:
    made = Made()
    ahead = Ahead(made)
    ahead.begin("slow")
    assert made.begun.wait(60)
    ahead.begin("next")  # has to wait for its turn
    assert ahead("other") == "made of other"
    assert ahead("next") == "made of next"
    made.go.set()
    assert made.queries == ["slow", "other", "next"]


def test_an_error_is_raised_where_it_is_asked_for() -> None:
    ahead = Ahead(Made())
    ahead.begin("wrong")
    with pytest.raises(InputError, match="cannot be read"):
        ahead("wrong")
