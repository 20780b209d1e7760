"""A tracker that says what the copy of each trial is to become; one background thread brings it there.

Nothing is a message that could get lost: a call changes what is wanted, and the thread works on a trial until its copy
is that, however often the server is away meanwhile. Until a trial is copied, memory holds its `Wanted`: its
specification and its result, not its epochs, which are read from its folder when its turn comes (see `reported`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from tal_search.tracking import epoch_log
from tal_search.tracking.tracker import Status
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec

FLUSH_SECONDS = 3.0  # what comes within it is sent together: each batch costs the driver some 10 ms
LONGEST_PAUSE = 15.0
CLOSE_SECONDS = 60.0
INTERRUPTED_SECONDS = 3.0  # a command that is interrupted has ten in all


@dataclass(frozen=True)
class End:
    """How a trial ended."""

    status: Status
    result: TrialResult | None
    reason: str


@dataclass(frozen=True)
class Wanted:
    """What the copy of a trial is to become. again: the trial runs in this command; else it was over before."""

    spec: TrialSpec
    folder: TrialFolder
    again: bool = True
    files: tuple[Path, ...] = ()
    end: End | None = None


class NotCopied(Exception):
    """One trial that cannot be copied, however long one waits: a file of it is damaged, or a value refused."""


class Copy(Protocol):
    """The blocking side of a tracker, used by one thread alone.

    Any method may raise anything and is then called again, `open` too where it left `opened` False.
    """

    study: str
    opened: bool

    @property
    def where(self) -> str: ...
    def open(self) -> None: ...
    def bring(self, wanted: Wanted) -> None: ...
    def close(self, interrupted: bool) -> None: ...


class BackgroundTracker:
    """See `Tracker`. close_seconds: how long `close` waits for a copy in which nothing succeeds."""

    def __init__(self, copy: Copy, runs: Path, *, close_seconds: float = CLOSE_SECONDS) -> None:
        self._copy, self._runs, self._close_seconds = copy, runs, close_seconds
        self._lock = threading.Lock()  # of the next two; held for moments
        self._wanted: dict[str, Wanted] = {}
        self._to_do: dict[str, None] = {}  # keys whose copy is not what is wanted, in the order they are worked on
        self._problems: dict[str, str] = {}  # of one trial each
        self._failure, self._failures = "", 0  # the last one, and how many in a row
        self._interrupted: bool | None = None  # set by `close`
        self._stopped = False
        self._wake = threading.Event()
        self._progress = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)
        self._thread.start()

    def start(self, spec: TrialSpec) -> None:
        self._want(Wanted(spec, TrialFolder.of(self._runs, spec.key)))

    def log_metrics(self, key: str, reports: Iterable[EpochReport]) -> None:
        if key not in self._wanted:
            return
        try:
            epoch_log.append(self._wanted[key].folder, reports)
        except Exception as error:  # a disk that is full stops the study elsewhere, with its own sentence
            self._problems[key] = _one_line(error)
        self._change(key)

    def log_artifact(self, key: str, path: Path) -> None:
        if key in self._wanted:
            self._change(key, files=(*self._wanted[key].files, path))

    def finish(
        self, key: str, result: TrialResult | None = None, status: Status | None = None, reason: str = ""
    ) -> None:
        self._change(key, end=_end(result, status, reason))

    def take_up(
        self, spec: TrialSpec, result: TrialResult | None = None, status: Status | None = None, reason: str = ""
    ) -> None:
        folder = TrialFolder.of(self._runs, spec.key)
        self._want(Wanted(spec, folder, again=False, end=_end(result, status, reason)))

    def close(self, *, interrupted: bool = False) -> str | None:
        self._interrupted = interrupted
        self._wake.set()
        closed = time.monotonic()
        while self._thread.is_alive():
            seconds = closed + INTERRUPTED_SECONDS if interrupted else max(closed, self._progress) + self._close_seconds
            if time.monotonic() >= seconds:
                break
            self._thread.join(min(1.0, seconds - time.monotonic()))
        late = self._thread.is_alive()
        self._stopped = True
        self._wake.set()
        if not late and not self._problems:
            return None
        silence = f"it was not done after {INTERRUPTED_SECONDS if interrupted else self._close_seconds:g} seconds"
        reason = (late and self._failure) or next(iter(self._problems.values()), silence)
        return (
            f"The copy of this study in {self._copy.where} is incomplete ({reason}); the record and the trial folders "
            "are complete: to copy what is missing, run the same command again or: "
            f"tal-search rebuild study={self._copy.study}"
        )

    def _want(self, wanted: Wanted) -> None:
        with self._lock:
            self._wanted[wanted.spec.key] = wanted
            self._to_do[wanted.spec.key] = None

    def _change(self, key: str, **changes: Any) -> None:
        with self._lock:
            if key in self._wanted:
                self._wanted[key] = replace(self._wanted[key], **changes)  # another object, so the thread sees it
                self._to_do[key] = None

    def _work(self) -> None:
        while not self._stopped:
            closing = self._interrupted is not None  # asked first: what came before `close` is in the list below
            with self._lock:
                keys = list(self._to_do)
            for key in keys:
                if not self._attempt(lambda key=key: self._bring(key)):  # type: ignore[misc]
                    self._pause()
                if self._stopped:
                    return
            if closing and not self._to_do:
                if self._attempt(lambda: self._copy.close(bool(self._interrupted))):
                    return
                self._pause()
            elif not closing:
                self._wait(FLUSH_SECONDS)

    def _attempt(self, action: Callable[[], None]) -> bool:
        try:
            if not self._copy.opened:
                self._copy.open()
                self._progress = time.monotonic()
            action()
        except Exception as error:  # whatever it is, it must not stop the study
            self._failures += 1
            self._failure = _one_line(error)
            return False
        self._failure, self._failures = "", 0
        self._progress = time.monotonic()
        return True

    def _bring(self, key: str) -> None:
        wanted = self._wanted[key]
        try:
            self._copy.bring(wanted)
        except NotCopied as error:
            self._problems[key] = _one_line(error)
        else:
            if wanted.end is not None and wanted.end.status == "finished":
                self._problems.pop(key, None)  # an epoch that could not be kept for the copy came from the folder
                epoch_log.forget(wanted.folder)
        with self._lock:
            if self._wanted[key] is wanted:
                del self._to_do[key]
                if wanted.end is not None:
                    del self._wanted[key]

    def _pause(self) -> None:
        """After a failure: not at all the first time, which may concern one trial, then 1, 2, 4 ... 15 seconds."""
        if self._failures > 1:
            self._wait(min(2.0 ** (self._failures - 2), LONGEST_PAUSE))

    def _wait(self, seconds: float) -> None:
        if self._wake.wait(seconds):  # only `close` wakes: then everything is tried once more at once
            self._wake.clear()


def _end(result: TrialResult | None, status: Status | None, reason: str) -> End:
    return End(status or ("failed" if result is None else "finished"), result, reason)


def _one_line(error: Exception) -> str:
    """Type and message; what `NotCopied` says is a whole reason already."""
    text = str(error).strip() if isinstance(error, NotCopied) else f"{type(error).__name__}: {str(error).strip()}"
    return text.splitlines()[0][:200]
