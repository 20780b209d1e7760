"""A thread beside a block calls again and again, and ends with the block."""

from __future__ import annotations

import threading
from contextlib import suppress

from tal_search.files.threads import repeated
from tests.support.waiting import wait_for


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_it_calls_until_the_block_ends_however_that_ends() -> None:
    calls: list[int] = []
    with suppress(ZeroDivisionError), repeated(lambda: calls.append(1), 0.001, name="counting"):
        wait_for(lambda: len(calls) > 2)
        assert "counting" in names()
        raise ZeroDivisionError
    assert "counting" not in names()
    before = len(calls)
    assert not threading.Event().wait(0.01)
    assert len(calls) == before


def test_a_call_that_hangs_holds_the_block_no_longer_than_asked() -> None:
    begun, released = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        released.wait()

    with repeated(hang, 0.001, name="hanging", join_seconds=0.01):
        assert begun.wait(60)
    assert "hanging" in names()
    released.set()
