"""Time budget of a run: after it no trial starts, and running trials are paused with a checkpoint, not pruned."""

from __future__ import annotations

import time

from tal_search.plan.cells import Trial
from tal_search.proposers.events import Event, Proposer, Wait
from tal_search.trial.trial_types import TrialResult, TrialSpec


class Deadline:
    """A proposer that ends after `minutes`; None means never."""

    def __init__(self, proposer: Proposer, minutes: float | None) -> None:
        self._proposer = proposer
        self._until = None if minutes is None else time.monotonic() + 60 * minutes
        self.over = False  # whether the study has more to run after the deadline

    def ask(self) -> TrialSpec | Wait | None:
        if self._passed():
            self.over = self.over or self.ended is None
            return None
        return self._proposer.ask()

    @property
    def ended(self) -> str | None:
        return self._proposer.ended

    def stops(self, spec: TrialSpec) -> bool:
        if self._passed():
            self.over = True
            return True
        return self._proposer.stops(spec)

    def pauses(self, spec: TrialSpec) -> bool:
        """Whether a stopped trial is only paused: the deadline stopped it, not the study's proposer."""
        return self._passed() and not self._proposer.stops(spec)

    def tell(self, event: Event) -> None:
        self._proposer.tell(event)

    def answered(self, trial: Trial, result: TrialResult) -> None:
        self._proposer.answered(trial, result)

    def _passed(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until
