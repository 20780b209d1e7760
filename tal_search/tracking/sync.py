"""The copy of one study, whoever keeps it: which run each trial has there, and what that run still lacks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tal_search.tracking import epoch_log
from tal_search.tracking.background import End, NotCopied, Wanted
from tal_search.tracking.ledger import Entry, Ledger
from tal_search.tracking.store import Found, Missing, Store, packed, points
from tal_search.tracking.values import (
    EPOCH_MARK,
    RESULT_MARK,
    Naming,
    dashboard_link,
    epoch_values,
    mAP_curve,
    progress_values,
    result_values,
    settings_of,
    trial_files,
    trial_params,
    trial_tags,
)
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec


@dataclass(slots=True)
class Child:
    """A trial's run. state: created (its parameters are still to be sent), running in this command, interrupted before
    it, finished, failed or pruned.

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
    """See `Copy`. search: ask the store which trials it holds, whatever was noted of it.

    dashboard: the address of the dashboards, "" where it is unknown. children: those this command works on, by key;
    they leave once they are over, and are in the ledger then. labelled: of the runs that the store was asked for, what
    they are called and link to. progress: by number of the fit, what the study's run holds of fits that are finished.
    """

    study: str
    store: Store
    ledger: Ledger
    search: bool = False
    naming: Naming = field(default_factory=Naming)
    dashboard: str = ""
    children: dict[str, Child] = field(default_factory=dict)
    labelled: dict[str, Found] = field(default_factory=dict)
    progress: dict[int, float] | None = None
    progressed: set[str] = field(default_factory=set)
    opened: bool = False
    failed: bool = False

    @property
    def where(self) -> str:
        return self.store.shown

    def open(self) -> None:
        self.parent = self.store.open()
        if self.search or not self.ledger.load(self.parent):
            self._ask()
        self.children, self.progress, self.progressed = {}, None, set()
        self.opened = True

    def bring(self, wanted: Wanted) -> None:
        """Make the trial's run what is wanted. After an error anywhere in it, calling it again completes it."""
        spec, end = wanted.spec, wanted.end
        self.failed |= end is not None and end.status == "failed"
        try:
            child = self._find(spec.key)
            self._label(spec)
            if child and (child.state == "finished" or (end and not wanted.again and child.state == end.status)):
                self._keep_settings(child, wanted)
                return
            if child is None or child.state == "failed":
                child = self._create(spec)
            self.children[spec.key] = child
            self._resume(child, spec.key)
            self._send(child, wanted)
            if end is not None:
                self._end(child, wanted, end)
        except Exception as error:
            if spec.key in self.children:
                self.children[spec.key].epochs = None  # some of those sent may have arrived
            self.progress = None
            raise self._meaning(error) from None

    def close(self, interrupted: bool) -> None:
        try:
            for child in self.children.values():
                self.store.end(child.run, "interrupted")
            self.store.end(self.parent, "interrupted" if interrupted else "failed" if self.failed else "finished")
        except Exception as error:
            raise self._meaning(error) from None

    def _meaning(self, error: Exception) -> Exception:
        meaning = self.store.translated(error)
        self.opened = not isinstance(meaning, Missing)
        return meaning

    def _ask(self) -> None:
        """Learn from the store which trials it holds: half a minute for ten thousand."""
        self.ledger.over, self.ledger.begun = {}, set()
        for found in self.store.runs():
            if found.key in self.ledger.over or found.key in self.ledger.begun:
                continue  # of a key's runs the newest counts
            self.labelled[found.key] = found
            if found.state == "interrupted":
                self.ledger.begun.add(found.key)
            else:
                self.ledger.over[found.key] = Entry(found.run, found.state)
        self.ledger.write(self.parent)

    def _find(self, key: str) -> Child | None:
        """The newest run of a trial; the store is asked only where it may have one that is not known."""
        if key in self.children:
            return self.children[key]
        if key in self.ledger.over:
            entry = self.ledger.over[key]
            return Child(entry.run, entry.state, settings=entry.settings)
        found = next(self.store.runs(key), None) if key in self.ledger.begun else None
        return None if found is None else Child(found.run, found.state)

    def _create(self, spec: TrialSpec) -> Child:
        self.children.pop(spec.key, None)
        self.ledger.begin(spec.key)
        tags = {**trial_tags(spec), "dashboard": dashboard_link(self.study, spec.key, self.dashboard)}
        run = self.store.create({**tags, "role": "trial", "state": "running"}, self.naming(spec))
        return Child(run, "created", epochs=set())

    def _label(self, spec: TrialSpec) -> None:
        """Give a run that the store told of the name and the link that it has now."""
        found = self.labelled.get(spec.key)
        if found is None:
            return
        name, link = self.naming(spec), dashboard_link(self.study, spec.key, self.dashboard)
        if (name, link) != (found.name, found.dashboard):
            self.store.label(found.run, name, {"dashboard": link})
        del self.labelled[spec.key]

    def _resume(self, child: Child, key: str) -> None:
        if child.state not in ("created", "running"):
            self.ledger.begin(key)
            self.store.resume(child.run)
            child.state = "created"  # all parameters go with the next values, for a run that was cut short

    def _send(self, child: Child, wanted: Wanted) -> None:
        """Parameters, epochs and the result, as far as the run lacks them."""
        reports, offset = _reports(child, wanted)
        if child.epochs is None:
            child.epochs = set(self.store.history(child.run, EPOCH_MARK))
            child.scored = bool(self.store.history(child.run, RESULT_MARK))
        new = sorted(reports.keys() - child.epochs)
        groups = [points(epoch_values(reports[epoch][0]), epoch, reports[epoch][1]) for epoch in new]
        result = wanted.end and wanted.end.result
        if result and not child.scored:
            groups.append(points(result_values(result), result.selected_epoch, _now()))
        params = {} if child.state == "running" else trial_params(wanted.spec)
        for batch in packed(groups) or ([[]] if params else []):
            self.store.log(child.run, batch, params)
            params = {}
        child.state, child.offset = "running", offset
        child.epochs.update(new)
        child.scored |= result is not None

    def _end(self, child: Child, wanted: Wanted, end: End) -> None:
        if end.result is not None:
            self.store.write(child.run, mAP_curve(end.result), "mAP_by_tIoU.csv")
        settings = _size(settings_of(wanted.folder)) if end.status == "finished" else 0
        for path in dict.fromkeys((*trial_files(wanted.folder, end.status), *wanted.files)):
            self._keep(child, path)
        self.store.end(child.run, end.status, end.reason)
        if end.result is not None and wanted.spec.key not in self.progressed:
            self._progress(end.result)
            self.progressed.add(wanted.spec.key)
        self.ledger.end(wanted.spec.key, Entry(child.run, end.status, settings))
        del self.children[wanted.spec.key]

    def _progress(self, result: TrialResult) -> None:
        """A step of the curves of the study's run: one a finished fit."""
        if self.progress is None:
            names = list(progress_values(result, 0.0))
            self.progress = self.store.history(self.parent, names[-1])
        step = max(self.progress, default=0) + 1
        values = progress_values(result, self.progress.get(step - 1, 0.0))
        self.store.log(self.parent, points(values, step, _now()), {})
        self.progress = {step: list(values.values())[-1]}

    def _keep_settings(self, child: Child, wanted: Wanted) -> None:
        """A run that is over; of a finished fit, more inference settings may have been scored since."""
        path, settings = settings_of(wanted.folder), child.settings
        if child.state == "finished" and _size(path) not in (0, settings):
            settings = _size(path)
            self._keep(child, path)
        entry = Entry(child.run, child.state, settings)
        if self.ledger.over.get(wanted.spec.key) != entry:
            self.ledger.end(wanted.spec.key, entry)

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
        return epoch_log.read(folder, child.offset)
    try:
        return {report.epoch: (report, _now()) for report in folder.epoch_reports()}, child.offset
    except Exception as error:  # pandas and pyarrow raise many things at a damaged file
        raise NotCopied(f"{folder.epochs} cannot be read: {type(error).__name__}: {error}") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _now() -> int:
    return int(time.time() * 1000)
