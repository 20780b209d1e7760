"""What a study's copy asks of the program that keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

POINTS = 800  # of metrics, a call; MLflow takes 1000 values of all kinds


class Point(NamedTuple):
    """One value of one metric. time: ms since 1970."""

    name: str
    value: float
    epoch: int
    time: int


class Found(NamedTuple):
    """A run of a trial. state: finished, failed or pruned; interrupted, where it is not over."""

    key: str
    run: str
    state: str
    name: str
    dashboard: str


class Missing(Exception):
    """A run that was there is not: the database is another one."""


class Store(Protocol):
    """What keeps runs: MLflow. Its methods block, and may raise anything."""

    @property
    def shown(self) -> str:
        """Where it is, in a sentence."""

    def translated(self, error: Exception) -> Exception:
        """The error as Missing or NotCopied, where it is one."""

    def open(self) -> str:
        """Returns the study's parent run, which is running then."""

    def runs(self, key: str | None = None) -> Iterator[Found]:
        """Runs of trials, the newest first."""

    def create(self, tags: dict[str, str], name: str) -> str: ...
    def label(self, run: str, name: str, tags: dict[str, str]) -> None: ...
    def resume(self, run: str) -> None: ...
    def log(self, run: str, points: list[Point], params: dict[str, str]) -> None:
        """Parameters come with the first values of a run; with them it learns of its dataset."""

    def history(self, run: str, metric: str) -> dict[int, float]:
        """The values of a metric, by epoch."""

    def keep(self, run: str, path: Path) -> None: ...
    def write(self, run: str, text: str, name: str) -> None: ...
    def end(self, run: str, state: str, reason: str = "") -> None: ...


def points(values: dict[str, float], epoch: int, when: int) -> list[Point]:
    return [Point(name, value, epoch, when) for name, value in values.items()]


def packed(groups: list[list[Point]]) -> list[list[Point]]:
    """Batches of whole groups: an epoch that is known to have arrived has arrived whole."""
    batches: list[list[Point]] = []
    for group in groups:
        if not batches or len(batches[-1]) + len(group) > POINTS:
            batches.append([])
        batches[-1] += group
    return batches
