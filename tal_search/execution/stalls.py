"""Running trials that make no progress, by the heartbeats in their folders."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tal_search.files.disk import waiting
from tal_search.files.heartbeat import FILE, Heartbeat, read_heartbeat
from tal_search.proposers.events import Stalled
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec

NAMED_SECONDS = 60.0  # without progress, after which a trial is named
POLL_SECONDS = 1.0
LONGEST_POLL = 10.0  # counted between two polls: if this process itself stood still for longer, workers waited for it
AGAIN_SECONDS = 60.0  # between two reports of a trial that is due


class Stall(NamedTuple):
    """A trial that began or ended to stall, or is due: it made no progress for the longest time allowed.

    words: what is known of it, as part of a sentence; held: whether a process of another driver holds the trial.
    """

    event: Stalled
    words: str
    held: bool
    due: bool


@dataclass
class _Watched:
    seen: tuple[int, bytes]  # time and content of its heartbeat
    quiet: float = 0.0  # seconds without a change
    named: bool = False


class StallWatch:
    """Compares the heartbeats of running trials from poll to poll, by this process's clock.

    runs: the folder that holds `trials/`. minutes: without progress after which a trial is due; None or 0 = never.
    """

    def __init__(self, runs: Path, minutes: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._runs, self._clock = runs, clock
        self._longest = 60 * minutes if minutes else float("inf")
        self._watched: dict[str, _Watched] = {}
        self._polled = clock()

    def poll(self, running: Iterable[TrialSpec]) -> list[Stall]:
        """Changes since the last poll; none if that was less than POLL_SECONDS ago."""
        now = self._clock()
        if now - self._polled < POLL_SECONDS:
            return []
        passed, self._polled = min(now - self._polled, LONGEST_POLL), now
        if waiting(self._runs):
            passed = 0.0  # paused until the disk has room again
        specs = {spec.key: spec for spec in running}
        self._watched = {key: watched for key, watched in self._watched.items() if key in specs}
        stalls = (self._look_at(spec, passed) for spec in specs.values())
        return [stall for stall in stalls if stall is not None]

    def forget(self, spec: TrialSpec) -> None:
        """Begin anew with a trial, because it starts again."""
        self._watched.pop(spec.key, None)

    def _look_at(self, spec: TrialSpec, passed: float) -> Stall | None:
        seen = _seen(TrialFolder.of(self._runs, spec.key).path / FILE)
        known = self._watched.get(spec.key)
        if known is None or seen != known.seen:
            self._watched[spec.key] = _Watched(seen)
            goes_on = known is not None and known.named
            return Stall(Stalled(spec, None), "", held=False, due=False) if goes_on else None
        known.quiet += passed
        due = known.quiet >= self._longest
        if known.named and not due:
            return None
        if not due and known.quiet < NAMED_SECONDS:
            return None
        beat = read_heartbeat(seen[1])
        held = beat is not None and beat.driver != this_process()
        stall = Stall(Stalled(spec, _sentence(known.quiet, beat, held=held)), _words(known.quiet, beat), held, due)
        known.named = True
        if due:
            known.quiet = max(0.0, self._longest - AGAIN_SECONDS)
        return stall


def given_up(stall: Stall) -> str:
    """Why a trial fails that a stalled process of another study holds."""
    return f"{stall.event.text}; end that process, and the next command trains the fit"


def this_process() -> str:
    """This process, as the driver in its workers' heartbeats."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def _seen(path: Path) -> tuple[int, bytes]:
    """Time and content of a file; opened each time, so that a network file system asks its server."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns, file.read()
    except OSError:
        return 0, b""


def _sentence(quiet: float, beat: Heartbeat | None, *, held: bool) -> str:
    if beat is not None and held:
        return f"another command trains the same fit and made {_words(quiet, beat)}, started by {beat.driver}"
    return _words(quiet, beat)


def _words(quiet: float, beat: Heartbeat | None) -> str:
    last = "its first step has not begun" if beat is None else f"last: {beat.doing}; {beat.device}, {beat.process}"
    return f"no progress for {_duration(quiet)} ({last})"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{round(seconds / 60, 1):g} min"
