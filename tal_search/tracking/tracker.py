"""Where a study's numbers are copied to while it runs: verbs that never block or stop a trial."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Protocol

from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec

Status = Literal["finished", "failed", "pruned"]


class Tracker(Protocol):
    """Every call returns at once and raises nothing; the work is done later, and tried again until it succeeds."""

    def start(self, spec: TrialSpec) -> None:
        """A trial begins, continues or is tried again; the other verbs then take its key."""

    def log_metrics(self, key: str, reports: Iterable[EpochReport]) -> None:
        """Losses and scores by epoch; an epoch known already is skipped. Those of a finished trial are not needed
        here: they are read from its folder.
        """

    def log_artifact(self, key: str, path: Path) -> None:
        """Keep a copy of a file besides those of the trial's folder, once the trial is over, if it exists by then."""

    def finish(
        self, key: str, result: TrialResult | None = None, status: Status | None = None, reason: str = ""
    ) -> None:
        """The trial is over. status: by default finished with a result, failed without; reason: of a failure."""

    def take_up(
        self, spec: TrialSpec, result: TrialResult | None = None, status: Status | None = None, reason: str = ""
    ) -> None:
        """A trial that was over before this command began, to be copied where that is missing."""

    def close(self, *, interrupted: bool = False) -> str | None:
        """Do what is left, for a limited time. Returns a sentence where the copy is incomplete."""


class NoTracker:
    """Keeps nothing."""

    def start(self, spec: TrialSpec) -> None:
        pass

    def log_metrics(self, key: str, reports: Iterable[EpochReport]) -> None:
        pass

    def log_artifact(self, key: str, path: Path) -> None:
        pass

    def finish(
        self, key: str, result: TrialResult | None = None, status: Status | None = None, reason: str = ""
    ) -> None:
        pass

    def take_up(
        self, spec: TrialSpec, result: TrialResult | None = None, status: Status | None = None, reason: str = ""
    ) -> None:
        pass

    def close(self, *, interrupted: bool = False) -> str | None:  # noqa: ARG002
        return None
