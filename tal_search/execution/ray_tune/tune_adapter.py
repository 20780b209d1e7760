"""Adapter between Tune's callbacks and the driver: a state machine of the trials in progress; does not import Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from typing import TypeVar

from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.stalls import StallWatch, given_up
from tal_search.execution.worker import Advance
from tal_search.proposers.events import (
    WAIT,
    Event,
    Failed,
    Finished,
    Handler,
    Noted,
    Proposer,
    Pruned,
    Reported,
    Started,
    Wait,
)
from tal_search.trial.trial_types import TrialResult, TrialSpec

T = TypeVar("T")

HOLD_SECONDS = 5.0  # a worker process starts within two seconds unless there is no room for it
UNREADABLE = "it finished, but its result cannot be read on this machine; the cluster's machines must share `runs`"
RESULT_SECONDS = 60.0  # for a file written on another machine to appear; NFS caches its absence for up to 60 s


class TuneAdapter:
    """The trials in progress, by Tune's trial id; used by the driver's main thread only.

    result_of: reads a finished trial's result from its folder. limit: most trials at once, those waiting for a worker
    included; None = no limit. slots: number of workers that fit. stalls: None = a trial without progress is waited for.
    Errors of the driver or the proposer are kept in `error` and end the run, since Tune would take them for errors of a
    trial.
    """

    def __init__(
        self,
        proposer: Proposer,
        handle: Handler,
        interrupt: DeferredInterrupt,
        result_of: Callable[[TrialSpec], TrialResult | None],
        *,
        limit: int | None,
        slots: int,
        stalls: StallWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proposer, self._handle, self._interrupt = proposer, handle, interrupt
        self._result_of, self._limit, self._slots, self._clock = result_of, limit, slots, clock
        self.error: Exception | None = None
        self._live: dict[str, TrialSpec] = {}
        self._running: set[str] = set()
        self._unread: dict[str, float] = {}  # finished, but the result is not readable yet: since when
        self._ended: set[str] = set()
        self._stopped: set[str] = set()
        self._stalls = stalls
        self._killed: dict[str, str] = {}  # for a stall, by name; the words for it
        self._given_up: dict[str, str] = {}  # held by another driver's process that stalls: the reason
        self._holding_since: float | None = None
        self._next: TrialSpec | Wait | None = WAIT  # WAIT: not asked yet
        self._waiting = self._over = False

    @property
    def ending(self) -> bool:
        """Whether every trial must stop at its next report."""
        return self._interrupt.requested or self.error is not None

    def more(self) -> bool:
        """Whether there is a trial to run; asked only while none is under way."""
        self._waiting = False
        self._next = self._ask()
        return self._next is not None

    def suggest(self, name: str) -> TrialSpec | Wait | None:
        """The next trial, called `name` from now on."""
        if self._limit is not None and len(self._live) >= self._limit and not self.ending:
            return WAIT
        spec, self._next = (self._ask() if self._next is WAIT else self._next), WAIT
        if isinstance(spec, TrialSpec):
            self._live[name] = spec
        return None if self.ending else spec

    def started(self, name: str) -> None:
        self._running.add(name)
        if name not in self._ended:  # else it restarts only because its worker died after the trial had ended
            self._send(Started(self._live[name]))

    def recovers(self, name: str, text: str) -> None:
        """The trial lost its worker and waits for another."""
        self._running.discard(name)
        self._holding_since = None
        self._forget_stall(name)
        if name not in self._ended:
            self._send(Noted(self._live[name], text))

    def stalled(self, with_worker: Set[str]) -> list[str]:
        """Report trials that make no progress; returns those whose worker process must be killed.

        with_worker: names of trials that have one. It may stop before it has begun its next trial; and where there is
        room for another worker process that does not come up, the trials that wait for it are reported.
        """
        if self._stalls is None or self.error is not None:
            return []
        busy = self._live.keys() & with_worker
        watched = self._live.keys() if len(busy) < self._slots else busy
        names = {self._live[name].key: name for name in watched - self._ended}
        killed = []
        for stall in self._stalls.poll([self._live[name] for name in names.values()]):
            name = names[stall.event.spec.key]
            if not stall.due:
                self._send(stall.event)
            elif name not in busy:
                pass  # a cluster may be starting a machine
            elif stall.held and name not in self._given_up:
                self._given_up[name] = given_up(stall)
            else:
                self._killed[name] = stall.words
                killed.append(name)
        return killed

    def killed_for(self, name: str) -> str | None:
        """How long a trial had made no progress when its worker process was killed for that; else None."""
        return self._killed.pop(name, None)

    def advanced(self, name: str, advance: Advance) -> bool:
        """Send a worker's message to the driver; returns whether the trial must leave its worker."""
        spec = self._live[name]
        for text in advance.notes:
            self._send(Noted(spec, text))
        for report in advance.reports:
            self._send(Reported(spec, report))
        if name in self._ended:
            pass  # its worker died after the end, and the next one found the trial finished
        elif advance.finished or name in self._unread:
            self._finish(name)
        elif advance.failed is not None:
            self._end(name, Failed(spec, advance.failed))
        elif name in self._given_up:
            self._end(name, Failed(spec, self._given_up[name]))
        elif advance.reports and self._stops(spec):
            self._stopped.add(name)
            return True
        return self.ending or (name in self._ended and not self._held())

    def stopped(self, name: str) -> bool:
        """Whether the proposer stopped this trial."""
        return name in self._stopped

    def pruned(self, name: str) -> None:
        self._end(name, Pruned(self._live[name]))

    def failed(self, name: str, reason: str) -> None:
        self._end(name, Failed(self._live[name], reason))

    def forget(self, name: str) -> None:
        """The trial has left its worker."""
        self._forget_stall(name)
        self._live.pop(name, None)
        for names in (self._running, self._ended, self._stopped):
            names.discard(name)
        self._unread.pop(name, None)

    def spec(self, name: str) -> TrialSpec:
        return self._live[name]

    def _forget_stall(self, name: str) -> None:
        self._given_up.pop(name, None)
        self._killed.pop(name, None)
        if self._stalls is not None and name in self._live:
            self._stalls.forget(self._live[name])

    def _ask(self) -> TrialSpec | Wait | None:
        if self.ending or self._over:
            return None
        if self._waiting:
            return WAIT
        answer = self._attempt(self._proposer.ask)
        self._over = answer is None
        if answer is WAIT:
            self._waiting = True
            if not self._live:
                self.error = RuntimeError("the proposer waits, but no trial is under way")
        return answer

    def _stops(self, spec: TrialSpec) -> bool:
        return bool(self._attempt(lambda: self._proposer.stops(spec)))

    def _finish(self, name: str) -> None:
        spec = self._live[name]
        result = self._result_of(spec)
        if result is not None:
            self._end(name, Finished(spec, result))
        elif self._clock() - self._unread.setdefault(name, self._clock()) > RESULT_SECONDS:
            self._end(name, Failed(spec, UNREADABLE))

    def _held(self) -> bool:
        """Whether to hold a worker whose trial has ended, because another worker is still starting.

        Tune would give the free worker the trial that the other one is starting for, and stop that one before it is up:
        trials shorter than the start of a worker would all run in the first worker.
        """
        if len(self._live) == len(self._running) or len(self._running) >= self._slots:
            self._holding_since = None
            return False
        now = self._clock()
        if self._holding_since is None:
            self._holding_since = now
        return now - self._holding_since < HOLD_SECONDS

    def _end(self, name: str, event: Event) -> None:
        if name not in self._ended:
            self._waiting = False
            self._ended.add(name)
            self._unread.pop(name, None)
            self._send(event)

    def _send(self, event: Event) -> None:
        self._attempt(lambda: self._handle(event))

    def _attempt(self, action: Callable[[], T]) -> T | None:
        """Call the driver, and keep its error."""
        if self.error is not None:
            return None
        try:
            with self._interrupt.shielded():
                return action()
        except Exception as error:
            self.error = error
            return None
