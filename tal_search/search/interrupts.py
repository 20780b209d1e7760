"""Ctrl-C that waits for the end of an epoch, so that a trial saves whole epochs; a second one does not wait."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class DeferredInterrupt:
    """Inside the `with` block the first SIGINT only sets `requested`; the second raises KeyboardInterrupt at once.

    Elsewhere than in the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None

    def __enter__(self) -> DeferredInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _note(self, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
