"""The tracker's background thread: it brings the copy of each trial to its desired state.

A call only stores the desired state of a trial, so no update is lost; the thread retries until the trial's copy is in
that state, even if the server is unavailable meanwhile. Only the specification and the result of trials not yet copied
are in memory; their epochs are read from their folders (see `epoch_log`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tal_search.errors import TalSearchError
from tal_search.text.urls import masked
from tal_search.tracking import epoch_log
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialOutcome, TrialSpec

FLUSH_SECONDS = 3.0  # changes within it are sent together: each batch costs the driver some 10 ms
LONGEST_PAUSE = 15.0
CLOSE_SECONDS = 60.0
INTERRUPTED_SECONDS = 3.0  # an interrupted command has ten seconds in all


@dataclass(frozen=True)
class Wanted:
    """Desired state of a trial's copy. started: the trial runs in this command; else it had ended before.

    outcome: None while it runs.
    """

    spec: TrialSpec
    folder: TrialFolder
    started: bool = False
    outcome: TrialOutcome | None = None


class NotCopied(Exception):
    """A trial that cannot be copied, and retrying cannot help: a file is damaged, or a value is refused."""


class Copy(Protocol):
    """The blocking side of a tracker, used by one thread only.

    A method that raises is called again later, after `open` if `opened` is False.
    """

    again: str
    opened: bool

    @property
    def where(self) -> str: ...
    def open(self) -> None: ...
    def bring(self, wanted: Wanted) -> None: ...
    def close(self, interrupted: bool) -> None: ...


class BackgroundTracker:
    """See `Tracker`. close_seconds: how long `close` waits for a copy that makes no progress. check: called before each
    change of the copy; raises an error where another driver may run the study, whose copy it then is.
    """

    def __init__(
        self, copy: Copy, runs: Path, *, close_seconds: float = CLOSE_SECONDS, check: Callable[[], None] | None = None
    ) -> None:
        self._check = check
        self._copy, self._runs, self._close_seconds = copy, runs, close_seconds
        self._lock = threading.Lock()  # of the next two; held briefly
        self._wanted: dict[str, Wanted] = {}
        self._to_do: dict[str, None] = {}  # keys of trials whose copy is not in the desired state, in order
        self._problems: dict[str, str] = {}  # by key
        self.failure, self._failures = "", 0  # the latest error, empty after a success; how many in a row
        self._interrupted: bool | None = None  # set by `close`
        self._stopped = False
        self._wake = threading.Event()
        self._progress = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)
        self._thread.start()

    def start(self, spec: TrialSpec) -> None:
        self._want(Wanted(spec, self._folder(spec), started=True))

    def log(self, spec: TrialSpec, reports: Iterable[EpochReport]) -> None:
        wanted = self._wanted.get(spec.key)
        if wanted is None:
            return
        try:
            epoch_log.append(wanted.folder, reports)
        except Exception as error:  # a full disk stops the study elsewhere, with a message about it
            self._problems[spec.key] = _one_line(error)
        self._want(replace(wanted))  # another object, so the thread notices that there is more

    def finish(self, spec: TrialSpec, outcome: TrialOutcome) -> None:
        wanted = self._wanted.get(spec.key) or Wanted(spec, self._folder(spec))
        self._want(replace(wanted, outcome=outcome))

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
        reason = (late and self.failure) or next(iter(self._problems.values()), silence)
        return (
            f"The copy of this study in {self._copy.where} is incomplete ({reason}); the record and the trial folders "
            f"are complete: to copy what is missing, run the same command again or: {self._copy.again}"
        )

    def _folder(self, spec: TrialSpec) -> TrialFolder:
        return TrialFolder.of(self._runs, spec.key)

    def _want(self, wanted: Wanted) -> None:
        with self._lock:
            self._wanted[wanted.spec.key] = wanted
            self._to_do[wanted.spec.key] = None

    def _work(self) -> None:
        while not self._stopped:
            closing = self._interrupted is not None  # read first: what was wanted before `close` is in the list below
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
            if self._check is not None:
                self._check()
            if not self._copy.opened:
                self._copy.open()
                self._progress = time.monotonic()
            action()
        except Exception as error:  # no error of the copy may stop the study
            self._failures += 1
            self.failure = _one_line(error)
            return False
        self.failure, self._failures = "", 0
        self._progress = time.monotonic()
        return True

    def _bring(self, key: str) -> None:
        wanted = self._wanted[key]
        try:
            self._copy.bring(wanted)
        except NotCopied as error:
            self._problems[key] = _one_line(error)
        else:
            if wanted.outcome is not None and wanted.outcome.state == "finished":
                self._problems.pop(key, None)  # an epoch that could not be logged was read from the folder
                epoch_log.forget(wanted.folder)
        with self._lock:
            if self._wanted[key] is wanted:
                del self._to_do[key]
                if wanted.outcome is not None:
                    del self._wanted[key]

    def _pause(self) -> None:
        """After a failure: none the first time, which may concern a single trial, then 1, 2, 4 ... 15 seconds."""
        if self._failures > 1:
            self._wait(min(2.0 ** (self._failures - 2), LONGEST_PAUSE))

    def _wait(self, seconds: float) -> None:
        if self._wake.wait(seconds):  # woken by `close`: everything is tried once more at once
            self._wake.clear()


def _one_line(error: Exception) -> str:
    """Type and message; of our own errors the message only."""
    head = "" if isinstance(error, NotCopied | TalSearchError) else f"{type(error).__name__}: "
    text = f"{head}{str(error).strip()}"
    return masked(text.splitlines()[0])[:200]
