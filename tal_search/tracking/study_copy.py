"""The copy of one study, whoever keeps it: which run each trial has there, and what that run still lacks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from tal_search.tracking import reported
from tal_search.tracking.background import End, NotCopied, Wanted
from tal_search.tracking.content import (
    EPOCH_MARK,
    RESULT_MARK,
    epoch_values,
    mAP_curve,
    result_values,
    run_name,
    settings_of,
    trial_files,
    trial_params,
    trial_tags,
)
from tal_search.tracking.ledger import Entry, Ledger
from tal_search.types import EpochReport, TrialSpec

POINTS = 1000  # of metrics, a call


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
    def resume(self, run: str) -> None: ...
    def log(self, run: str, points: list[Point]) -> None: ...
    def describe(self, run: str, params: dict[str, str]) -> None: ...
    def epochs(self, run: str, metric: str) -> set[int]: ...
    def keep(self, run: str, path: Path) -> None: ...
    def write(self, run: str, text: str, name: str) -> None: ...
    def end(self, run: str, state: str, reason: str = "") -> None: ...


@dataclass(slots=True)
class Child:
    """A trial's run. state: created, running in this command, interrupted before it, finished, failed or pruned.

    epochs: those it holds, None until the store is asked; scored: whether it holds the result. offset: how far
    `reported.jsonl` was read. settings: bytes of the `settings.json` it holds.
    """

    run: str
    state: str
    epochs: set[int] | None = None
    scored: bool = False
    offset: int = 0
    settings: int = 0


@dataclass
class StudyCopy:
    """See `Copy`. search: ask the store which trials it holds, whatever was noted of it."""

    study: str
    store: Store
    ledger: Ledger
    search: bool = False
    children: dict[str, Child] = field(default_factory=dict)
    opened: bool = False
    failed: bool = False

    @property
    def where(self) -> str:
        return self.store.shown

    def open(self) -> None:
        self.parent = self.store.open()
        if self.search or not self.ledger.load(self.parent):
            self._ask()
        over = self.ledger.over.items()
        self.children = {key: Child(entry.run, entry.state, settings=entry.settings) for key, entry in over}
        self.opened = True

    def bring(self, wanted: Wanted) -> None:
        """Make the trial's run what is wanted. After an error anywhere in it, calling it again completes it."""
        spec, end = wanted.spec, wanted.end
        self.failed |= end is not None and end.status == "failed"
        try:
            child = self.children.get(spec.key) or self._find(spec.key)
            if child and (child.state == "finished" or (end and not wanted.again and child.state == end.status)):
                self._keep_settings(child, wanted)
                return
            if child is None or child.state == "failed":
                child = self._create(spec)
            self._continue(child, spec)
            self._send_epochs(child, wanted)
            if end is not None:
                self._end(child, wanted, end)
        except Exception as error:
            if spec.key in self.children:
                self.children[spec.key].epochs = None  # some of those sent may have arrived
            meaning = self.store.translated(error)
            self.opened = not isinstance(meaning, Missing)
            raise meaning from None

    def close(self, interrupted: bool) -> None:
        for child in self.children.values():
            if child.state in ("created", "running"):
                self.store.end(child.run, "interrupted")
                child.state = "interrupted"
        self.store.end(self.parent, "interrupted" if interrupted else "failed" if self.failed else "finished")

    def _ask(self) -> None:
        """Learn from the store which trials it holds: half a minute for ten thousand."""
        self.ledger.over, self.ledger.begun = {}, set()
        for key, run, state in self.store.runs():
            if key in self.ledger.over or key in self.ledger.begun:
                continue  # of a key's runs the newest counts
            if state == "interrupted":
                self.ledger.begun.add(key)
            else:
                self.ledger.over[key] = Entry(run, state)
        self.ledger.write(self.parent)

    def _find(self, key: str) -> Child | None:
        """The newest run of a trial that may have one."""
        if key in self.ledger.begun:
            for found in self.store.runs(key):
                self.children[key] = Child(found.run, found.state)
                return self.children[key]
        return None

    def _create(self, spec: TrialSpec) -> Child:
        self.children.pop(spec.key, None)
        self.ledger.begin(spec.key)
        run = self.store.create({**trial_tags(spec), "role": "trial", "state": "running"}, run_name(spec))
        child = self.children[spec.key] = Child(run, "created", epochs=set())
        return child

    def _continue(self, child: Child, spec: TrialSpec) -> None:
        if child.state == "running":
            return
        if child.state != "created":
            self.ledger.begin(spec.key)
            self.store.resume(child.run)
        self.store.describe(child.run, trial_params(spec))  # again, for a run whose creation was cut short
        child.state = "running"

    def _send_epochs(self, child: Child, wanted: Wanted) -> None:
        reports, offset = _reports(child, wanted)
        if child.epochs is None:
            child.epochs = self.store.epochs(child.run, EPOCH_MARK)
            child.scored = bool(self.store.epochs(child.run, RESULT_MARK))
        new = sorted(reports.keys() - child.epochs)
        batch: list[Point] = []
        for epoch in new:
            report, when = reports[epoch]
            points = [Point(name, value, epoch, when) for name, value in epoch_values(report).items()]
            if len(batch) + len(points) > POINTS:  # whole epochs, so that an epoch that is known is complete
                self.store.log(child.run, batch)
                batch = []
            batch += points
        if batch:
            self.store.log(child.run, batch)
        child.epochs.update(new)
        child.offset = offset

    def _end(self, child: Child, wanted: Wanted, end: End) -> None:
        if end.result is not None:
            if not child.scored:
                epoch, now = end.result.selected_epoch, _now()
                points = [Point(name, value, epoch, now) for name, value in result_values(end.result).items()]
                self.store.log(child.run, points)
                child.scored = True
            self.store.write(child.run, mAP_curve(end.result), "mAP_by_tIoU.csv")
        settings = _size(settings_of(wanted.folder)) if end.status == "finished" else 0
        for path in dict.fromkeys((*trial_files(wanted.folder, end.status), *wanted.files)):
            self._keep(child, path)
        self.store.end(child.run, end.status, end.reason)
        self.ledger.end(wanted.spec.key, Entry(child.run, end.status, settings))
        child.state, child.epochs, child.settings = end.status, None, settings

    def _keep_settings(self, child: Child, wanted: Wanted) -> None:
        """A finished fit whose study has had more inference settings scored since."""
        path = settings_of(wanted.folder)
        size = _size(path)
        if child.state == "finished" and size != child.settings and size:
            self._keep(child, path)
            self.ledger.end(wanted.spec.key, Entry(child.run, child.state, size))
            child.settings = size

    def _keep(self, child: Child, path: Path) -> None:
        if not path.exists():
            return
        try:
            path.open("rb").close()
        except OSError as error:
            raise NotCopied(f"{path} cannot be read: {error.strerror}") from error
        self.store.keep(child.run, path)


def _reports(child: Child, wanted: Wanted) -> tuple[dict[int, tuple[EpochReport, int]], int]:
    """A trial's epochs, each with its time, and the new offset: of a finished one all, else those after the offset."""
    folder = wanted.folder
    if wanted.end is None or wanted.end.status != "finished" or not folder.epochs.exists():
        return reported.read(folder, child.offset)
    try:
        return {report.epoch: (report, _now()) for report in folder.epoch_reports()}, child.offset
    except Exception as error:  # pandas and pyarrow raise many things at a damaged file
        raise NotCopied(f"{folder.epochs} cannot be read: {type(error).__name__}: {error}") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _now() -> int:
    return int(time.time() * 1000)
