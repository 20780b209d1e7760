"""Compiling Numba functions counts as progress of a trial: the first call may take a minute on a busy machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from numba.core import event

from tal_search.files.heartbeat import lasting


class _Compiling(event.Listener):
    """Enters `lasting` while Numba compiles; compiling a function may compile those that it calls."""

    def __init__(self) -> None:
        self._running: list[ExitStack] = []

    def on_start(self, event: event.Event) -> None:
        self._running.append(ExitStack())
        self._running[-1].enter_context(lasting(f"compiling {event.data['dispatcher'].py_func.__name__}"))

    def on_end(self, event: event.Event) -> None:  # noqa: ARG002
        if self._running:
            self._running.pop().close()


@contextmanager
def compiling_is_progress() -> Iterator[None]:
    """Beat the heart of this process while Numba compiles inside the block."""
    with event.install_listener("numba:compile", _Compiling()):
        yield
