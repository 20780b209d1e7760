"""Events of running trials, and the proposer that decides which trials run: the driver passes the ones to the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tal_search.plan.cells import Trial
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec


@dataclass(frozen=True)
class Started:
    """A worker begins (or begins again) with this trial."""

    spec: TrialSpec


@dataclass(frozen=True)
class Reported:
    """One epoch of this trial is over."""

    spec: TrialSpec
    report: EpochReport


@dataclass(frozen=True)
class Finished:
    """The trial's folder holds its result."""

    spec: TrialSpec
    result: TrialResult


@dataclass(frozen=True)
class Failed:
    """The trial ended with an error; `reason` is one line, the whole text is in the trial's log."""

    spec: TrialSpec
    reason: str


@dataclass(frozen=True)
class Pruned:
    """The proposer had the trial stopped after its last report; its folder keeps a checkpoint."""

    spec: TrialSpec


@dataclass(frozen=True)
class Noted:
    """Something the user should know of a trial that goes on: a damaged checkpoint, a worker that was replaced."""

    spec: TrialSpec
    text: str


class Wait(Enum):
    """The answer of a proposer that may have a trial once one that runs has ended."""

    WAIT = "wait"


WAIT = Wait.WAIT

Event = Started | Reported | Finished | Failed | Pruned | Noted
Handler = Callable[[Event], None]


class Proposer(Protocol):
    """Where trials come from, and who decides which of them stop early."""

    def ask(self) -> TrialSpec | Wait | None:
        """The next trial to run; WAIT while that depends on trials under way; None when there is none left."""

    @property
    def ended(self) -> str | None:
        """None while there is or may be more to run, else why there is not: a sentence, empty where all is done."""

    def stops(self, spec: TrialSpec) -> bool:
        """Whether a trial under way is to stop now. A backend asks after each batch of its reports was handled."""

    def tell(self, event: Event) -> None:
        """The driver's: an event. What the driver writes of it comes before what the proposer does."""

    def answered(self, trial: Trial, result: TrialResult) -> None:
        """The driver's: a trial has its result, which came with a fit that has just ended."""
