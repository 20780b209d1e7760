"""A tracker whose work is done in one background thread, fed by a queue: a slow or dead server delays nothing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from tal_search.types import EpochReport, TrialResult, TrialSpec

FLUSH_SECONDS = 1.0
CLOSE_SECONDS = 60.0
FAILURES_IN_A_ROW = 3


class Copy(Protocol):
    """The blocking side of a tracker, used by one thread alone; its methods may raise anything."""

    where: str
    opened: bool

    def open(self) -> None: ...
    def start(self, spec: TrialSpec) -> None: ...
    def log(self, key: str, reports: Iterable[EpochReport]) -> None: ...
    def flush(self) -> None: ...
    def keep(self, key: str, path: Path) -> None: ...
    def finish(self, key: str, result: TrialResult | None) -> None: ...
    def close(self, interrupted: bool) -> None: ...
    def run_id(self, key: str) -> str | None: ...


class BackgroundTracker:
    """See `Tracker`."""

    def __init__(self, copy: Copy, *, close_seconds: float = CLOSE_SECONDS) -> None:
        self._copy, self._close_seconds = copy, close_seconds
        self._incomplete: dict[str, str] = {}
        self._failures_in_a_row = 0
        self._queue: queue.Queue[tuple[str, Callable[[], None]] | None] = queue.Queue()
        self._queue.put(("", copy.open))
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)
        self._thread.start()

    def start(self, spec: TrialSpec) -> None:
        self._queue.put((spec.key, lambda: self._copy.start(spec)))

    def log_metrics(self, key: str, reports: Iterable[EpochReport]) -> None:
        self._queue.put((key, lambda: self._copy.log(key, reports)))

    def log_artifact(self, key: str, path: Path) -> None:
        self._queue.put((key, lambda: self._copy.keep(key, path)))

    def finish(self, key: str, result: TrialResult | None) -> None:
        self._queue.put((key, lambda: self._finish(key, result)))

    def run_id(self, key: str) -> str | None:
        return self._copy.run_id(key)

    def close(self, *, interrupted: bool = False) -> str | None:
        self._queue.put(("", lambda: self._copy.close(interrupted)))
        self._queue.put(None)
        self._thread.join(self._close_seconds)
        if self._thread.is_alive():
            self._incomplete.setdefault("", f"it did not answer within {self._close_seconds:g} seconds")
        if not self._incomplete:
            return None
        reason = next(iter(self._incomplete.values()))
        return (
            f"The copy of this study in {self._copy.where} is incomplete ({reason}); the record and the trial folders "
            "are complete: run the same command again to copy what is missing."
        )

    def _work(self) -> None:
        flushed = time.monotonic()
        while True:
            try:
                task = self._queue.get(timeout=FLUSH_SECONDS)
            except queue.Empty:
                task = ("", self._copy.flush)
            if task is None:
                return
            self._attempt(*task)
            if time.monotonic() - flushed > FLUSH_SECONDS:
                self._attempt("", self._copy.flush)
                flushed = time.monotonic()

    def _attempt(self, key: str, action: Callable[[], None]) -> None:
        """After some failures in a row, or one to open, nothing more is tried."""
        if self._failures_in_a_row >= FAILURES_IN_A_ROW:
            return
        try:
            action()
            self._failures_in_a_row = 0
        except Exception as error:  # a copy that fails must not stop the study
            self._failures_in_a_row += 1 if self._copy.opened else FAILURES_IN_A_ROW
            self._incomplete.setdefault(key, f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:200])

    def _finish(self, key: str, result: TrialResult | None) -> None:
        self._copy.flush()
        if key not in self._incomplete and "" not in self._incomplete:  # else it stays open, to be completed
            self._copy.finish(key, result)
