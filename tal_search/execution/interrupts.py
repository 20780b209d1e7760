"""SIGINT and SIGTERM that wait for the end of an epoch, so that a trial saves whole epochs, but not for ever."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from tal_search.errors import Interrupted

GRACE_SECONDS = 4.0  # for epochs under way; then their last checkpoint has to do
AGAIN_SECONDS = 1.0  # between attempts to leave code that swallowed the first
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
ENDING = (signal.SIGINT, signal.SIGTERM)
_ends_process = ContextVar("ends_process", default=True)  # whether a second SIGINT does


@contextmanager
def keeps_process() -> Iterator[None]:
    """Around a run in a notebook's kernel, whose variables outlive it: a second SIGINT leaves epochs under way."""
    token = _ends_process.set(False)
    try:
        yield
    finally:
        _ends_process.reset(token)


_before_exit: list[Callable[[], None]] = []  # called before a second SIGINT ends the process at once


@contextmanager
def heard(told: Callable[[int], None], before_exit: Callable[[], None]) -> Iterator[None]:
    """Have every SIGINT and SIGTERM announced at once, whatever the main thread is doing.

    told: called with the signal's number from a thread of its own, since Python runs handlers in the main thread only,
    after the call into Torch, Numba or Ray that it is in. before_exit: called before a DeferredInterrupt ends the
    process. Where no DeferredInterrupt handles the signal, Interrupted is raised. No effect outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def listen() -> None:
        while numbers := os.read(reading, 1):
            if numbers[0] in ENDING:
                told(numbers[0])

    listener = threading.Thread(target=listen, daemon=True, name="signals")
    listener.start()
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, _interrupted) for number in ENDING}
    _before_exit.append(before_exit)
    try:
        yield
    finally:
        _before_exit.remove(before_exit)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(wakeup)
        os.close(writing)
        listener.join()
        os.close(reading)


def _interrupted(number: int, _: object) -> None:
    raise Interrupted(number)


class DeferredInterrupt:
    """Inside the `with` block the first SIGINT or SIGTERM only sets `requested`.

    Code in `interruptible()` that still runs GRACE_SECONDS later is left by Interrupted; `fail` has it left by an error
    of another thread. Once something was requested, a SIGINT calls `at_once` and ends the process (not within
    `keeps_process`). SIGALRM carries this, since it ends a sleep and Ray heeds it too. Elsewhere than in the main
    thread, where Python delivers no signals, all of it does nothing.
    """

    def __init__(self) -> None:
        self.at_once: Callable[[], None] = lambda: None
        self._signal: int | None = None
        self._error: Exception | None = None
        self._open = False
        self._ends_process = _ends_process.get()
        self._previous: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        return self._signal is not None

    def __enter__(self) -> DeferredInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.getsignal(number) for number in SIGNALS}
            self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def install(self) -> None:
        """Handle the signals; again after a library put its own handlers in place."""
        if self._previous:
            signal.signal(signal.SIGINT, self._note)
            signal.signal(signal.SIGTERM, self._note)
            signal.signal(signal.SIGALRM, self._leave)

    def check(self) -> None:
        """Raise what the run is to end with, if anything.

        A signal comes first: one to the whole process group (a supervisor's) ends Ray's servers too, and explains that.
        """
        reason = self._error if self._signal is None else Interrupted(self._signal)
        if reason is not None:
            raise reason from None  # the place in Ray or a trial that was left for it says nothing

    def request(self, number: int) -> None:
        """Behave as if the signal `number` had come."""
        if self._signal is None:
            self._signal = number
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS, AGAIN_SECONDS)

    def fail(self, error: Exception) -> None:
        """From any thread: have `interruptible()` code of the main thread left, and `error` raised there."""
        self._error = error
        main = threading.main_thread().ident
        if self._previous and main is not None:
            signal.pthread_kill(main, signal.SIGALRM)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Code that may be left anywhere: what it was to keep is on disk."""
        self._open = True
        try:
            yield
        except KeyboardInterrupt:
            self.check()
            raise
        finally:
            self._open = False

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Code within `interruptible()` that is to come to its end: it writes the record."""
        opened, self._open = self._open, False
        try:
            yield
        finally:
            self._open = opened

    def _note(self, number: int, _: object) -> None:
        if self.requested and number == signal.SIGINT:
            if self._ends_process:
                self.at_once()
                for action in _before_exit:
                    action()
                os._exit(128 + number)
            self._leave()
        self.request(number)

    def _leave(self, *_: object) -> None:
        if self._open and (self.requested or self._error is not None):
            raise KeyboardInterrupt  # no Exception, which libraries may take for an error of a trial
