"""The contract between the driver and what runs trials: specs in, events out.

Two backends pass one test suite: `ray_backend` (Ray Tune, worker processes) and `inline_backend` (this process).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tal_search.types import EpochReport, TrialResult, TrialSpec


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


Event = Started | Reported | Finished | Failed
Handler = Callable[[Event], None]


class Proposer(Protocol):
    """Where trials come from: a plan now; samplers that learn from `Finished` events have their place here."""

    def ask(self) -> TrialSpec | None:
        """The next trial to run, or None when there is none left."""


class Backend(Protocol):
    def run(self, proposer: Proposer, handle: Handler) -> None:
        """Run every proposed trial, calling `handle` in the driver's main thread for each event.

        A failing trial is an event, not an exception. On Ctrl-C every running trial writes its checkpoint, then
        KeyboardInterrupt is raised.
        """
