"""Work that a thread repeats beside a block of code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeated(
    call: Callable[[], object], seconds: float, *, name: str, join_seconds: float | None = None
) -> Iterator[None]:
    """Call `call` in a daemon thread every `seconds` until the block ends; an exception of it ends the thread.

    name: of the thread. join_seconds: how long the end of the block waits for a call under way; None = for its end.
    """
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(join_seconds)
