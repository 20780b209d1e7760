"""What Tune's hooks have to say to the driver and its proposer, and the driver's errors that Tune must not see."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from tal_search.execution.interrupts import DeferredInterrupt
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
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec

T = TypeVar("T")

HOLD_SECONDS = 5.0  # a worker process starts in one or two, or there is no room for it


class Exchange:
    """The trials under way, by Tune's name for them. `error`: what the driver or the proposer raised; it ends the run.

    limit: trials at once, those that wait for a worker included; None = no limit. `slots`: workers there is room for.
    """

    def __init__(self, proposer: Proposer, handle: Handler, interrupt: DeferredInterrupt, limit: int | None) -> None:
        self._proposer, self._handle, self._interrupt, self._limit = proposer, handle, interrupt, limit
        self.error: Exception | None = None
        self._live: dict[str, TrialSpec] = {}
        self.slots = 1
        self._running: set[str] = set()
        self._ended: set[str] = set()
        self._holding_since: float | None = None
        self._stopped: set[str] = set()
        self._next: TrialSpec | Wait | None = WAIT  # WAIT: not asked yet
        self._waiting = self._over = False

    @property
    def ending(self) -> bool:
        """Whether every trial is to stop at its next report."""
        return self._interrupt.requested or self.error is not None

    def more(self) -> bool:
        """Whether there is a trial to run; to be called while none is."""
        self._waiting = False
        self._next = self._ask()
        return self._next is not None

    def suggest(self, name: str) -> TrialSpec | Wait | None:
        """The next trial, from now on called `name`."""
        if self._limit is not None and len(self._live) >= self._limit and not self.ending:
            return WAIT
        spec, self._next = (self._ask() if self._next is WAIT else self._next), WAIT
        if isinstance(spec, TrialSpec):
            self._live[name] = spec
        return None if self.ending else spec

    def started(self, name: str) -> None:
        self._running.add(name)
        self._send(Started(self._live[name]))

    def recovers(self, name: str, text: str) -> None:
        """The trial lost its worker and waits for another."""
        self._running.discard(name)
        self._holding_since = None
        self._send(Noted(self._live[name], text))

    def advanced(self, name: str, advance: dict[str, Any]) -> bool:
        """Hand on what a worker sent (see `ray_backend._Trainable.step`); whether the trial is to leave its worker."""
        spec = self._live[name]
        for text in advance["notes"]:
            self._send(Noted(spec, text))
        for report in advance["reports"]:
            self._send(Reported(spec, EpochReport(**report)))
        if advance["result"] is not None:
            self._end(Finished(spec, TrialResult.from_json(advance["result"])))
            self._ended.add(name)
        elif advance["failed"] is not None:
            self._end(Failed(spec, advance["failed"]))
            self._ended.add(name)
        elif advance["reports"] and self._attempt(lambda: self._proposer.stops(spec)):
            self._stopped.add(name)
            return True
        return self.ending or (name in self._ended and not self._held())

    def stopped(self, name: str) -> bool:
        """Whether it was the proposer who had this trial stopped."""
        return name in self._stopped

    def pruned(self, name: str) -> None:
        self._stopped.discard(name)
        self._end(Pruned(self._live[name]))

    def failed(self, name: str, reason: str) -> None:
        self._end(Failed(self._live[name], reason))

    def forget(self, name: str) -> None:
        """The trial has left its worker."""
        self._live.pop(name, None)
        self._running.discard(name)
        self._ended.discard(name)

    def spec(self, name: str) -> TrialSpec:
        return self._live[name]

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

    def _held(self) -> bool:
        """Whether a worker whose trial has ended is to wait, since another one starts.

        Tune would give it the trial that the other one is meant for, and stop that one before it is up: trials shorter
        than the start of a worker would all run in the first.
        """
        if len(self._live) == len(self._running) or len(self._running) >= self.slots:
            self._holding_since = None
            return False
        now = time.monotonic()
        self._holding_since = self._holding_since or now
        return now - self._holding_since < HOLD_SECONDS

    def _end(self, event: Event) -> None:
        self._waiting = False
        self._send(event)

    def _send(self, event: Event) -> None:
        self._attempt(lambda: self._handle(event))

    def _attempt(self, action: Callable[[], T]) -> T | None:
        """Call the driver; Tune would take its error for one of the trial."""
        if self.error is not None:
            return None
        try:
            with self._interrupt.shielded():
                return action()
        except Exception as error:
            self.error = error
            return None
