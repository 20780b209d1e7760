"""Where a study's numbers are copied to while it runs: four verbs that never block or stop a trial."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from tal_search.types import EpochReport, TrialResult, TrialSpec


class Tracker(Protocol):
    """Every call returns at once and raises nothing; the work is done later, in order."""

    def start(self, spec: TrialSpec) -> None:
        """A trial begins, continues, or is copied for the first time; the other verbs then take its key."""

    def log_metrics(self, key: str, reports: Iterable[EpochReport]) -> None:
        """Losses and scores by epoch; an epoch known already is skipped. `reports` is iterated over later."""

    def log_artifact(self, key: str, path: Path) -> None:
        """Keep a copy of a file, if it exists by then."""

    def finish(self, key: str, result: TrialResult | None) -> None:
        """The trial is over; None where it failed."""

    def run_id(self, key: str) -> str | None:
        """The tracker's own name for the trial, where it is known already."""

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

    def finish(self, key: str, result: TrialResult | None) -> None:
        pass

    def run_id(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def close(self, *, interrupted: bool = False) -> str | None:  # noqa: ARG002
        return None
