"""SIGINT and SIGTERM deferred to the end of an epoch, for a limited time, so that trials save whole epochs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType, TracebackType

from tal_search.errors import Interrupted

GRACE_SECONDS = 4.0  # for running epochs to end; after that they are abandoned, and the last checkpoint counts
AGAIN_SECONDS = 1.0  # between attempts to interrupt code that swallowed the previous KeyboardInterrupt
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
ENDING = (signal.SIGINT, signal.SIGTERM)
_ends_process = ContextVar("ends_process", default=True)  # whether a second SIGINT ends the process


@contextmanager
def keeps_process() -> Iterator[None]:
    """For notebooks: a second SIGINT abandons the running epochs instead of ending the process, which is the kernel."""
    token = _ends_process.set(False)
    try:
        yield
    finally:
        _ends_process.reset(token)


_Handler = Callable[[int, FrameType | None], object] | int | None  # as `signal.getsignal` returns it
_before_exit: list[Callable[[], None]] = []  # called before a second SIGINT ends the process
_deferring: list[DeferredInterrupt] = []  # those whose `with` block runs


def fail(thread: int, error: Exception) -> None:
    """Have the backend that runs in the thread with this identifier, if any, leave its trials and raise `error`."""
    for interrupt in tuple(_deferring):
        if interrupt.thread == thread:
            interrupt.fail(error)


@contextmanager
def heard(on_signal: Callable[[int], None], before_exit: Callable[[], None]) -> Iterator[None]:
    """Announce every SIGINT and SIGTERM at once, even while the main thread is inside Torch, Numba or Ray.

    on_signal: called with the signal's number from a separate thread, because Python runs handlers in the main thread
    only, after the current call into C. before_exit: called before a DeferredInterrupt ends the process. Where no
    DeferredInterrupt handles the signal, Interrupted is raised. No effect outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def listen() -> None:
        while numbers := os.read(reading, 1):
            if numbers[0] in ENDING:
                on_signal(numbers[0])

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


def _nothing() -> None:
    pass


class Abandoned(BaseException):
    """Raised in the main thread's `interruptible()` code by `DeferredInterrupt.abandon`; no library swallows it."""


class DeferredInterrupt:
    """Inside the `with` block the first SIGINT or SIGTERM only sets `requested`.

    Code in `interruptible()` that still runs GRACE_SECONDS later is abandoned with Interrupted, or, after `fail`, with
    the error of another thread. A second SIGINT ends the process (not within `keeps_process`). SIGALRM interrupts
    the code; it also ends a sleep or a blocking call of Ray. No effect outside the main thread, where Python delivers
    no signals.
    """

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._clean_up: Callable[[], None] = _nothing
        self._signal: int | None = None
        self._error: BaseException | None = None
        self._open = self._abandoned = False
        self._ends_process = _ends_process.get()
        self._previous: dict[int, _Handler] = {}

    @property
    def requested(self) -> bool:
        return self._signal is not None

    @property
    def in_trial(self) -> bool:
        """Whether the main thread is in `interruptible()` code."""
        return self._open

    def __enter__(self) -> DeferredInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.getsignal(number) for number in SIGNALS}
            self.install()
        _deferring.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _deferring.remove(self)
        if self._previous:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def install(self, before_exit: Callable[[], None] | None = None) -> None:
        """Handle the signals; call it again after a library replaced the handlers.

        before_exit: called before a second SIGINT ends the process.
        """
        self._clean_up = before_exit or _nothing
        if self._previous:
            signal.signal(signal.SIGINT, self._note)
            signal.signal(signal.SIGTERM, self._note)
            signal.signal(signal.SIGALRM, self._leave)

    def check(self) -> None:
        """Raise Interrupted after a signal, else the error given to `fail`, if any.

        The signal comes first: a supervisor sends it to the whole process group, so Ray's servers die of it too.
        """
        reason = self._error if self._signal is None else Interrupted(self._signal)
        if reason is not None:
            raise reason from None  # the place in Ray or a trial where it was raised is irrelevant

    def request(self, number: int) -> None:
        """Behave as if the signal `number` had come."""
        if self._signal is None:
            self._signal = number
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS, AGAIN_SECONDS)

    def fail(self, error: BaseException) -> None:
        """Leave `interruptible()` code of the main thread and raise `error` there; callable from any thread."""
        self._error = error
        self._wake()

    def abandon(self) -> None:
        """Leave `interruptible()` code of the main thread with Abandoned; callable from any thread.

        No effect on code that waits in a library without letting Python handle signals.
        """
        self._abandoned = True
        self._wake()

    def _wake(self) -> None:
        main = threading.main_thread().ident
        if self._previous and main is not None:
            signal.pthread_kill(main, signal.SIGALRM)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Code that may be interrupted at any point, because its state is on disk."""
        self._open, self._abandoned = True, False
        try:
            yield
        except KeyboardInterrupt:
            self.check()
            raise
        finally:
            self._open = False

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Code within `interruptible()` that must run to its end, because it writes the record."""
        opened, self._open = self._open, False
        try:
            yield
        finally:
            self._open = opened

    def _note(self, number: int, _: object) -> None:
        if self.requested and number == signal.SIGINT:
            if self._ends_process:
                for action in (self._clean_up, *_before_exit):
                    action()
                os._exit(128 + number)
            self._leave()
        self.request(number)

    def _leave(self, *_: object) -> None:
        if self._open and (self.requested or self._error is not None):
            raise KeyboardInterrupt  # not an Exception, which libraries may take for an error of a trial
        if self._open and self._abandoned:
            self._abandoned = False
            raise Abandoned
