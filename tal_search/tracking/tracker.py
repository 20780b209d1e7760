"""Interface of trackers, which copy a study's results elsewhere while it runs and never block or stop a trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tal_search.trial.trial_types import EpochReport, TrialOutcome, TrialSpec


class Tracker(Protocol):
    """Every call returns at once and raises nothing; the work is done later and retried until it succeeds."""

    def start(self, spec: TrialSpec) -> None:
        """A trial starts, resumes or is retried."""

    def log(self, spec: TrialSpec, reports: Iterable[EpochReport]) -> None:
        """Losses and scores of a started trial; epochs logged before are skipped."""

    def finish(self, spec: TrialSpec, outcome: TrialOutcome) -> None:
        """A trial has ended. If `start` was not called, it ended in an earlier run.

        It is then copied only if its copy is incomplete.
        """

    def close(self, *, interrupted: bool = False) -> str | None:
        """Complete the copy, for a limited time. Returns a message if it is incomplete."""


class NoTracker:
    """Tracks nothing."""

    def start(self, spec: TrialSpec) -> None:
        pass

    def log(self, spec: TrialSpec, reports: Iterable[EpochReport]) -> None:
        pass

    def finish(self, spec: TrialSpec, outcome: TrialOutcome) -> None:
        pass

    def close(self, *, interrupted: bool = False) -> str | None:  # noqa: ARG002
        return None
