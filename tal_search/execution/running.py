"""One run of a study: every event goes to the record first, then to the tracker, then it is shown.

Where the record is locked or away these wait, in this order (`PatientStorage.soon`). The proposer hears of an event at
once, so that trials go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tal_search.plan.cells import Trial
from tal_search.proposers.events import Event, Failed, Finished, Pruned, Reported, Started
from tal_search.record.record import Record
from tal_search.tracking.tracker import Tracker
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of a study came to.

    trials: all that the study asked for, by id; finished: their results; failed, pruned: reasons by trial id; left: how
    many were not run; cached: how many were known before; interrupted: the signal's exit code, else None; messages: for
    the end; copied: whether MLflow, where there is a copy, has all of it.
    """

    trials: dict[str, Trial]
    finished: dict[str, TrialResult]
    failed: dict[str, str]
    pruned: dict[str, str]
    cached: int
    interrupted: int | None
    out_of_time: bool
    left: int
    messages: tuple[str, ...]
    copied: bool = True


@dataclass
class Run:
    """What is wanted, and what has come of it. proposer: set before the first event."""

    runs: Path
    record: Record
    tracker: Tracker
    on_event: Callable[[Event], None]
    proposer: Any = None
    wanted: dict[str, dict[str, Trial]] = field(default_factory=dict)  # by the fit's key, then by the trial's id
    finished: dict[str, TrialResult] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    pruned: dict[str, str] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)  # fits that were finished before, shown and copied once
    cached: int = 0
    gone: int = 0

    def want(self, trials: Sequence[Trial]) -> dict[str, TrialResult]:
        """Note that the study asks for these trials; by id the results that are known.

        A result is in the trial's folder, whatever study trained it, or in this study's record alone.
        """
        known: dict[str, TrialResult] = {}
        new: list[tuple[Trial, TrialResult]] = []
        on_disk = {key: TrialFolder.of(self.runs, key).results() for key in {trial.spec.key for trial in trials}}
        for trial in trials:
            self.wanted.setdefault(trial.spec.key, {})[trial.id] = trial
            result = self.finished.get(trial.id) or self._look_up(trial, on_disk[trial.spec.key])
            if result is not None:
                known[trial.id] = result
                if trial.id not in self.finished:
                    new.append((trial, result))
        self._finish(new, cached=True)
        self.cached += len(new)
        for trial, result in new:
            self.finished[trial.id] = result
            if trial.spec.key not in self.shown:
                self.shown.add(trial.spec.key)
                fit = on_disk[trial.spec.key].get(None) or result
                self._soon(
                    partial(self.tracker.take_up, trial.spec, fit), partial(self.on_event, Finished(trial.spec, fit))
                )
        return known

    def handle(self, event: Event) -> None:
        trials = list(self.wanted[event.spec.key].values())
        first = next((trial for trial in trials if trial.id not in self.finished), trials[0])
        match event:
            case Started():
                self._start(first)
            case Reported(report=report):
                noted = partial(self.record.report, first, report)
                self._soon(noted, partial(self.tracker.log_metrics, event.spec.key, [report]))
            case Failed(reason=reason):
                self._start(first)  # its worker may have died before it could say that it started
                self.failed |= {trial.id: reason for trial in trials if trial.id not in self.finished}
                noted = partial(self.record.fail, first, reason)
                self._soon(noted, partial(self.tracker.finish, event.spec.key, None, "failed", reason))
            case Pruned() if self.proposer.pauses(event.spec):
                self.proposer.tell(event)
                return  # it stays a running trial of the record, which the next command takes up
            case Pruned():
                self.pruned |= {trial.id: "stopped early" for trial in trials if trial.id not in self.finished}
                noted = partial(self.record.prune, first, "stopped early")
                self._soon(noted, partial(self.tracker.finish, event.spec.key, None, "pruned"))
            case Finished(result=result):
                self._take_in(event.spec, result)
        self.proposer.tell(event)
        self._soon(partial(self.on_event, event))

    def outcome(self, interrupted: int | None, messages: list[str]) -> Outcome:
        if self.gone:
            messages = [
                f"{self.gone} finished trials are in the record but their folders are gone from "
                f"{self.runs / 'trials'}; their numbers are used. To train them again, remove the study's folder.",
                *messages,
            ]
        wanted = {trial.id: trial for trials in self.wanted.values() for trial in trials.values()}
        left = len(wanted.keys() - self.finished.keys() - self.failed.keys() - self.pruned.keys())
        over = self.proposer is not None and self.proposer.over  # None: a signal came while trials were taken up
        return Outcome(
            trials=wanted,
            finished=self.finished, failed=self.failed, pruned=self.pruned, cached=self.cached,
            interrupted=interrupted, out_of_time=over, left=left, messages=tuple(messages),
        )  # fmt: skip

    def _start(self, trial: Trial) -> None:
        self._soon(partial(self.record.start, trial), partial(self.tracker.start, trial.spec))

    def _finish(self, results: list[tuple[Trial, TrialResult]], *, cached: bool) -> None:
        if results:
            self._soon(partial(self.record.finish_all, results, cached=cached))

    def _soon(self, *actions: Callable[[], object]) -> None:
        for action in actions:
            self.record.storage.soon(action)

    def _take_in(self, spec: TrialSpec, result: TrialResult) -> None:
        """A worker is done with a fit and its settings: each trial that wanted one of them has its result."""
        results = TrialFolder.of(self.runs, spec.key).results() or {None: result}
        trials = [trial for trial in self.wanted[spec.key].values() if trial.id not in self.finished]
        new = [(trial, results[trial.setting]) for trial in trials if trial.setting in results]
        self._finish(new, cached=False)
        for trial, found in new:
            self.finished[trial.id] = found
            self.failed.pop(trial.id, None)
            self.proposer.answered(trial, found)
        self._soon(partial(self.tracker.start, spec), partial(self.tracker.finish, spec.key, result))

    def _look_up(self, trial: Trial, on_disk: dict[str | None, TrialResult]) -> TrialResult | None:
        kept, recorded = on_disk.get(trial.setting), self.record.finished().get(trial.id)
        self.gone += kept is None and recorded is not None
        return kept or recorded
