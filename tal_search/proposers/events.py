"""Events of running trials, which the driver passes to the proposer, and the proposer's interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tal_search.plan.cells import Trial
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec


@dataclass(frozen=True)
class Started:
    """A worker starts or restarts this trial."""

    spec: TrialSpec


@dataclass(frozen=True)
class Reported:
    """One epoch of this trial has ended."""

    spec: TrialSpec
    report: EpochReport


@dataclass(frozen=True)
class Finished:
    """The trial's folder holds its result."""

    spec: TrialSpec
    result: TrialResult


@dataclass(frozen=True)
class Failed:
    """The trial ended with an error; `reason` is one line, the trial's log has the whole text."""

    spec: TrialSpec
    reason: str


@dataclass(frozen=True)
class Pruned:
    """The proposer stopped the trial after its last report; its folder has a checkpoint."""

    spec: TrialSpec


@dataclass(frozen=True)
class Noted:
    """A message for the user about a trial that continues: a damaged checkpoint, a worker that was replaced."""

    spec: TrialSpec
    text: str


@dataclass(frozen=True)
class Stalled:
    """A running trial makes no progress; `text` says for how long, and its last step. None: it goes on.

    Only shown: neither the record nor a proposer learns of it. May come from another thread than the driver's.
    """

    spec: TrialSpec
    text: str | None


class Wait(Enum):
    """Returned by a proposer that may have another trial after a running one has ended."""

    WAIT = "wait"


WAIT = Wait.WAIT

Event = Started | Reported | Finished | Failed | Pruned | Noted | Stalled
Handler = Callable[[Event], None]


class Proposer(Protocol):
    """Decides which trials run next, and which of them stop early."""

    def ask(self) -> TrialSpec | Wait | None:
        """The next trial to run; WAIT if that depends on running trials; None if there is none left."""

    @property
    def ended(self) -> str | None:
        """Why the study has nothing more to run: a sentence, empty if all is done. None while it may have more."""

    def stops(self, spec: TrialSpec) -> bool:
        """Whether a running trial must stop now. A backend asks after each batch of the trial's reports."""

    def tell(self, event: Event) -> None:
        """Handle an event. The driver has written it to the record, or queued that, before."""

    def answered(self, trial: Trial, result: TrialResult) -> None:
        """Handle the result of a trial whose fit has just ended. Called by the driver."""
