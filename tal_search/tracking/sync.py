"""Synchronizes a study's copy: finds the run of each trial and sends what that run still lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tal_search.files.checked import Damaged, parsing
from tal_search.tracking import epoch_log
from tal_search.tracking.background import NotCopied, Wanted
from tal_search.tracking.ledger import Entry, Ledger
from tal_search.tracking.mlflow_store import Found, Missing, MlflowStore, packed, points
from tal_search.tracking.values import (
    EPOCH_MARK,
    RESULT_MARK,
    Naming,
    dashboard_link,
    epoch_values,
    mAP_curve,
    progress_values,
    result_values,
    trial_files,
    trial_params,
    trial_tags,
)
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialOutcome, TrialResult, TrialSpec


@dataclass(slots=True)
class Child:
    """A trial's run. state: created (without parameters yet), running in this command, interrupted before it, finished,
    failed or pruned.

    epochs: those it holds, None until MLflow is asked; scored: whether it holds the result. offset: in bytes, up to
    which `reported.jsonl` was read. settings: bytes of the `settings.json` it holds.
    """

    run: str
    state: str
    epochs: set[int] | None = None
    scored: bool = False
    offset: int = 0
    settings: int = 0


@dataclass
class StudyCopy:
    """See `Copy`. costs: see `cost_values`. search: ask MLflow which trials it holds instead of reading the ledger.

    again: the command that completes the copy. dashboard: the address of the dashboards, "" if unknown. children:
    runs that have not ended, by key; ended ones are in the ledger. labelled: runs that MLflow returned, by key,
    until their name and link are up to date. progress: the last step of the curve of finished fits in the study's
    run, with its value; None until MLflow is asked. progressed: keys of the fits counted in it by this command.
    """

    study: str
    store: MlflowStore
    ledger: Ledger
    costs: Callable[[TrialSpec], Mapping[str, float]]
    search: bool = False
    naming: Naming = field(default_factory=Naming)
    dashboard: str = ""
    children: dict[str, Child] = field(default_factory=dict)
    labelled: dict[str, Found] = field(default_factory=dict)
    progress: dict[int, float] | None = None
    progressed: set[str] = field(default_factory=set)
    again: str = ""
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
        """Bring the trial's run to the desired state. After an error at any point, another call completes it."""
        spec, outcome = wanted.spec, wanted.outcome
        self.failed |= outcome is not None and outcome.state == "failed"
        try:
            child = self._undamaged(self._find(spec.key), wanted)
            self._label(spec)
            copied = outcome is not None and not wanted.started and child is not None and child.state == outcome.state
            if child is not None and (copied or child.state == "finished"):
                self._keep_settings(child, wanted)
                return
            if child is None or child.state == "failed":
                child = self._create(spec)
            self.children[spec.key] = child
            self._resume(child, spec.key)
            self._send(child, wanted)
            if outcome is not None:
                self._end(child, wanted, outcome)
        except Damaged as error:
            raise NotCopied(f"{error.path} cannot be read: {error.reason}") from error
        except Exception as error:
            if spec.key in self.children:
                self.children[spec.key].epochs = None  # some of those sent may have arrived; ask again
            self.progress = None
            raise self._translated(error) from None

    def close(self, interrupted: bool) -> None:
        try:
            for child in self.children.values():
                self.store.end(child.run, "interrupted")
            self.store.end(self.parent, "interrupted" if interrupted else "failed" if self.failed else "finished")
        except Exception as error:
            raise self._translated(error) from None

    def _translated(self, error: Exception) -> Exception:
        translated = self.store.translated(error)
        self.opened = not isinstance(translated, Missing)
        return translated

    def _ask(self) -> None:
        """Ask MLflow which trials it holds: half a minute for ten thousand."""
        self.ledger.ended, self.ledger.begun = {}, set()
        for found in self.store.runs():
            if found.key in self.ledger.ended or found.key in self.ledger.begun:
                continue  # the newest run of a key counts
            self.labelled[found.key] = found
            if found.state == "interrupted":
                self.ledger.begun.add(found.key)
            else:
                self.ledger.ended[found.key] = Entry(found.run, found.state)
        self.ledger.write(self.parent)

    def _find(self, key: str) -> Child | None:
        """The newest run of a trial; MLflow is asked only if it may have a run that is not known here."""
        if key in self.children:
            return self.children[key]
        if key in self.ledger.ended:
            entry = self.ledger.ended[key]
            return Child(entry.run, entry.state, settings=entry.settings)
        found = next(self.store.runs(key), None) if key in self.ledger.begun else None
        return None if found is None else Child(found.run, found.state)

    def _undamaged(self, child: Child | None, wanted: Wanted) -> Child | None:
        """The run; None, and it is removed, if MLflow returned it with other values than the trial has."""
        found, result = self.labelled.get(wanted.spec.key), wanted.outcome and wanted.outcome.result
        if child is None or found is None or not result or found.state != "finished":
            return child
        values = {**result_values(result), **self.costs(wanted.spec), **trial_params(wanted.spec)}
        if all(found.held.get(name, value) == value for name, value in values.items()):
            return child
        self.store.client.delete_run(child.run)
        del self.labelled[wanted.spec.key]
        return None

    def _create(self, spec: TrialSpec) -> Child:
        self.children.pop(spec.key, None)
        self.ledger.begin(spec.key)
        tags = {**trial_tags(spec), "dashboard": dashboard_link(self.study, spec.key, self.dashboard)}
        run = self.store.create({**tags, "role": "trial", "state": "running"}, self.naming(spec))
        return Child(run, "created", epochs=set())

    def _label(self, spec: TrialSpec) -> None:
        """Update the name and the link of a run that MLflow returned."""
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
            child.state = "created"  # send all parameters again: the run may have been cut short

    def _send(self, child: Child, wanted: Wanted) -> None:
        """Send the parameters, epochs and result that the run lacks."""
        finished = wanted.outcome is not None and wanted.outcome.state == "finished"
        reports, offset = epoch_log.reports_of(wanted.folder, child.offset, finished=finished)
        if child.epochs is None:
            child.epochs = set(self.store.history(child.run, EPOCH_MARK))
            child.scored = bool(self.store.history(child.run, RESULT_MARK))
        new = sorted(reports.keys() - child.epochs)
        groups = [points(epoch_values(reports[epoch][0]), epoch, reports[epoch][1]) for epoch in new]
        result = wanted.outcome and wanted.outcome.result
        if result and not child.scored:
            values = {**result_values(result), **self.costs(wanted.spec)}
            groups.append(points(values, result.selected_epoch, _now()))
        params = {} if child.state == "running" else trial_params(wanted.spec)
        for batch in packed(groups) or ([[]] if params else []):
            self.store.log(child.run, batch, params)
            params = {}
        child.state, child.offset = "running", offset
        child.epochs.update(new)
        child.scored |= result is not None

    def _end(self, child: Child, wanted: Wanted, outcome: TrialOutcome) -> None:
        state, result, reason = outcome
        if result is not None:
            self.store.write(child.run, mAP_curve(result), "mAP_by_tIoU.csv")
        settings = _size(wanted.folder.scored_settings) if state == "finished" else 0
        for path in trial_files(wanted.folder, state):
            self._keep(child, path)
        self.store.end(child.run, state, reason or (result.note if result else ""))
        if result is not None and wanted.spec.dataset.fold is None and wanted.spec.key not in self.progressed:
            self._progress(result)
            self.progressed.add(wanted.spec.key)
        self.ledger.end(wanted.spec.key, Entry(child.run, state, settings))
        del self.children[wanted.spec.key]

    def _progress(self, result: TrialResult) -> None:
        """Add a step to the curves of the study's run: one per finished fit. A fold's score is none of the study's."""
        if self.progress is None:
            names = list(progress_values(result, 0.0))
            self.progress = self.store.history(self.parent, names[-1])
        step = max(self.progress, default=0) + 1
        values = progress_values(result, self.progress.get(step - 1, 0.0))
        self.store.log(self.parent, points(values, step, _now()), {})
        self.progress = {step: list(values.values())[-1]}

    def _keep_settings(self, child: Child, wanted: Wanted) -> None:
        """Update `settings.json` in an ended run: a study may have scored more inference settings of a finished fit."""
        path, settings = wanted.folder.scored_settings, child.settings
        if child.state == "finished" and _size(path) not in (0, settings):
            settings = _size(path)
            self._keep(child, path)
        entry = Entry(child.run, child.state, settings)
        if self.ledger.ended.get(wanted.spec.key) != entry:
            self.ledger.end(wanted.spec.key, entry)

    def _keep(self, child: Child, path: Path) -> None:
        if not path.exists():
            return
        with parsing(TrialFolder(path.parent).verified(path)):
            path.open("rb").close()
        self.store.keep(child.run, path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _now() -> int:
    return int(time.time() * 1000)
