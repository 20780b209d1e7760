"""Bookkeeping of one run of a study: each event is written to the record, then to the tracker, then shown.

While the record is locked or unreachable, these actions are queued in this order (`Operations.enqueue`). The
proposer gets each event at once, so trials continue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tal_search.plan.cells import Trial
from tal_search.proposers.deadline import Deadline
from tal_search.proposers.events import Event, Failed, Finished, Pruned, Reported, Stalled, Started
from tal_search.record.record import Record
from tal_search.tracking.tracker import Tracker
from tal_search.trial.folder import TrialFolder
from tal_search.trial.mend import listed, mend
from tal_search.trial.trial_types import TrialOutcome, TrialResult, TrialSpec


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one run of a study.

    trials: all that the study asked for, by id; finished: their results; failed, pruned: reasons by trial id; cached:
    trials known before the run; left: trials not run; interrupted: the signal's exit code, else None; messages: to show
    at the end; out_of_time: whether the time budget ended it; copied: whether MLflow, if used, has everything.
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
    """The trials that the study wants, and their results so far."""

    runs: Path
    record: Record
    tracker: Tracker
    on_event: Callable[[Event], None]
    say: Callable[[str], None] = lambda _: None
    wanted: dict[str, dict[str, Trial]] = field(default_factory=dict)  # by the fit's key, then by the trial's id
    finished: dict[str, TrialResult] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    pruned: dict[str, str] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)  # fits finished before this run; each is shown and copied once
    cached: int = 0
    gone: int = 0  # finished trials without a folder
    corrected: int = 0  # results that the record had otherwise

    def want(self, trials: Sequence[Trial]) -> dict[str, TrialResult]:
        """Add trials to the study; returns the results already known, by trial id.

        A result is read from the trial's folder, whichever study trained it, or else from this study's record.
        """
        known: dict[str, TrialResult] = {}
        new: list[tuple[Trial, TrialResult]] = []
        on_disk = self._on_disk(trials)
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
                copied = partial(self.tracker.finish, trial.spec, TrialOutcome("finished", fit))
                self._soon(copied, partial(self.on_event, Finished(trial.spec, fit)))
        return known

    def _on_disk(self, trials: Sequence[Trial]) -> dict[str, dict[str | None, TrialResult]]:
        """Results in the folders of these trials' fits, once their damaged files are set aside."""
        recorded, fits = self.record.finished(), {trial.spec.key: trial for trial in trials}
        mended: list[str] = []
        for key, trial in fits.items():
            if key not in self.wanted:
                mended += mend(TrialFolder.of(self.runs, key), trial.spec, recorded.get(key))
        for sentence in listed(mended):
            self.say(sentence)
        return {key: TrialFolder.of(self.runs, key).results() for key in fits}

    def handle(self, proposer: Deadline, event: Event) -> None:
        """Record an event of a running trial, and tell the proposer."""
        if isinstance(event, Stalled):
            self.on_event(event)
            return
        trials = list(self.wanted[event.spec.key].values())
        first = next((trial for trial in trials if trial.id not in self.finished), trials[0])
        match event:
            case Started():
                self._start(first)
            case Reported(report=report):
                noted = partial(self.record.report, first, report)
                self._soon(noted, partial(self.tracker.log, event.spec, [report]))
            case Failed(reason=reason):
                self._start(first)  # its worker may have died before it reported the start
                self.failed |= {trial.id: reason for trial in trials if trial.id not in self.finished}
                self._end(partial(self.record.fail, first, reason), event.spec, TrialOutcome("failed", reason=reason))
            case Pruned() if proposer.pauses(event.spec):
                proposer.tell(event)
                return  # in the record it stays a running trial, which the next command continues
            case Pruned():
                self.pruned |= {trial.id: "stopped early" for trial in trials if trial.id not in self.finished}
                self._end(partial(self.record.prune, first, "stopped early"), event.spec, TrialOutcome("pruned"))
            case Finished(result=result):
                self._finish_fit(proposer, event.spec, result)
        proposer.tell(event)
        self._soon(partial(self.on_event, event))

    def outcome(self, interrupted: int | None, messages: list[str], *, out_of_time: bool, copied: bool) -> Outcome:
        if self.gone:
            messages = [
                f"{self.gone} finished trials are in the record but their folders are gone from "
                f"{self.runs / 'trials'}; their numbers are used. To train them again, remove the study's folder.",
                *messages,
            ]
        if self.corrected:
            messages = [
                f"{self.corrected} trials in the record of {self.record.study} disagreed with their folders or the "
                "plan; the folders' results, which have checksums, were kept, and the record was corrected.",
                *messages,
            ]
        wanted = {trial.id: trial for trials in self.wanted.values() for trial in trials.values()}
        left = len(wanted.keys() - self.finished.keys() - self.failed.keys() - self.pruned.keys())
        return Outcome(
            trials=wanted,
            finished=self.finished, failed=self.failed, pruned=self.pruned, cached=self.cached,
            interrupted=interrupted, out_of_time=out_of_time, left=left, messages=tuple(messages), copied=copied,
        )  # fmt: skip

    def _start(self, trial: Trial) -> None:
        folder = TrialFolder.of(self.runs, trial.spec.key)
        self._soon(partial(self.record.start, trial), folder.forget_outcome, partial(self.tracker.start, trial.spec))

    def _end(self, noted: Callable[[], None], spec: TrialSpec, outcome: TrialOutcome) -> None:
        """A trial failed or was pruned: note it in the record, in its folder, then in the copy."""
        folder = TrialFolder.of(self.runs, spec.key)
        self._soon(noted, partial(folder.write_outcome, outcome), partial(self.tracker.finish, spec, outcome))

    def _finish(self, results: list[tuple[Trial, TrialResult]], *, cached: bool) -> None:
        if results:
            self._soon(partial(self.record.finish_all, results, cached=cached))

    def _soon(self, *actions: Callable[[], object]) -> None:
        for action in actions:
            self.record.operations.enqueue(action)

    def _finish_fit(self, proposer: Deadline, spec: TrialSpec, result: TrialResult) -> None:
        """Record the results of a fit: one for each of its inference settings that a trial wanted."""
        results = TrialFolder.of(self.runs, spec.key).results() or {None: result}
        trials = [trial for trial in self.wanted[spec.key].values() if trial.id not in self.finished]
        new = [(trial, results[trial.setting]) for trial in trials if trial.setting in results]
        self._finish(new, cached=False)
        for trial, its_result in new:
            self.finished[trial.id] = its_result
            self.failed.pop(trial.id, None)
            proposer.answered(trial, its_result)
        ended = partial(self.tracker.finish, spec, TrialOutcome("finished", result))
        self._soon(partial(self.tracker.start, spec), ended)

    def _look_up(self, trial: Trial, on_disk: dict[str | None, TrialResult]) -> TrialResult | None:
        """A trial's result, from its folder; from the record if the folder is gone."""
        kept, recorded = on_disk.get(trial.setting), self.record.finished().get(trial.id)
        self.corrected += kept is not None and recorded is not None and self.record.differs(trial, kept)
        if kept is None and recorded is not None and not TrialFolder.of(self.runs, trial.spec.key).has_spec():
            self.gone += 1
            return recorded
        return kept
