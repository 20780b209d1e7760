"""Progress of a running study: a status line on a terminal, and a line per trial."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console

from tal_search.cli.console import styled, wrapped
from tal_search.cli.eta import Eta, about
from tal_search.cli.status_line import StatusLine, clock
from tal_search.data.folds import fold_words
from tal_search.execution.stalls import NAMED_SECONDS
from tal_search.plan.preview import Kind, kind_of, lanes, seconds_per_epoch
from tal_search.proposers.events import Event, Failed, Finished, Noted, Pruned, Reported, Stalled, Started
from tal_search.text.words import counted
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import cell_words

if TYPE_CHECKING:
    from tal_search.plan.plan import Plan

SHOWN_TIOU = 0.5
SHOWN_EPOCHS, PIPE_WIDTH = 4, 120  # running fits whose epochs a line on a pipe gives, after so many columns
QUIET_SECONDS = 180.0  # without a line on a pipe, after which one says how far the running fits are
STOPPING = (
    "Stopping … running trials save their checkpoints, which takes a few seconds. Ctrl-C again stops at once; the same "
    "command then continues from the last checkpoints."
)


class StudyView:
    """Counts a driver's events and shows them.

    total: the number of fits of the plan, those of earlier runs included, or a sampler's budget; None if unknown.
    status: the command's status line, if it has one. work: "training" or "scoring".
    """

    def __init__(self, console: Console, plan: Plan, status: StatusLine | None = None, work: str = "training") -> None:
        self.console, self.plan, self._work = console, plan, work
        self.total = len(plan.fits) or plan.study.budget.trials
        self.epochs: dict[str, tuple[int, int]] = {}
        self.running: dict[str, TrialSpec] = {}
        self.stalled: dict[str, float] = {}  # since when, by the key of the fit
        self.done: set[str] = set()
        self.failed = self.trained = self.pruned = 0
        self.quiet_seconds, self._written_at = QUIET_SECONDS, time.monotonic()
        self._started_at: float | None = None
        self._annotators = len({annotator for _, annotator in plan.repeats})
        self._means: dict[str, tuple[float, int]] = {}  # sum and number of results by cell
        self._leaky = ""
        self._eta = Eta(seconds_per_epoch(plan.study.runs), lanes(plan.study.resources))
        self._waiting = {spec.key: _kind(spec) for spec in plan.fits}
        self._queue = Counter(self._waiting.values())
        self._own = status is None
        self._line = status or StatusLine(console, "opening the record")

    def __enter__(self) -> Self:
        self._line.counted, self._line.details, self._line.below = self._progress, self._details, self._best
        if self._own:
            self._line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._line.counted, self._line.details, self._line.below = str, tuple, str
        if self._own:
            self._line.__exit__(kind, error, traceback)
        if self.trained and self._started_at is not None:
            verb = "Scored" if self._work == "scoring" else "Trained"
            self.console.print(f"{verb} {counted(self.trained, 'fit')} in {clock(time.monotonic() - self._started_at)}")

    def phase(self, words: str) -> None:
        """Show what the driver does before the first trial and after the last; on a pipe only that Ray starts."""
        if not self.console.is_terminal and words == "starting Ray":
            self.console.print("Starting Ray")
        self._line.enter(words)

    def add(self, event: Event) -> None:
        """Count and show an event of the driver."""
        key, spec, now = event.spec.key, event.spec, time.monotonic()
        if not isinstance(event, Stalled | Reported):
            self.stalled.pop(key, None)
        if isinstance(event, Stalled):
            self._stall(event, now)
        elif isinstance(event, Noted):
            self.say(f"{self._described(spec)}: {event.text}")
        elif isinstance(event, Started):
            self._start(spec, now)
        elif isinstance(event, Reported):
            self.running[key] = spec
            self.epochs[key] = (event.report.epoch, event.report.epochs)
            self._eta.reported(key, event.report.epoch, now, scored=bool(event.report.scores))
            self._write_progress(now)
        else:
            self._end(event, trained=self.running.pop(key, None) is not None, now=now)

    def say(self, sentence: str) -> None:
        """Print a sentence above the status line."""
        self.console.print(styled(wrapped(self.console, sentence)), soft_wrap=True)

    def _stall(self, event: Stalled, now: float) -> None:
        if event.text is not None:
            self.stalled.setdefault(event.spec.key, now - NAMED_SECONDS)
            self.say(f"{self._described(event.spec)}: {event.text}")
        elif self.stalled.pop(event.spec.key, None) is not None:
            self.say(f"{self._described(event.spec)}: goes on")

    def _start(self, spec: TrialSpec, now: float) -> None:
        if self._started_at is None:
            self._started_at, self._line.stopping = now, STOPPING
            if not self.console.is_terminal:
                self.console.print(f"{self._work.capitalize()} {self._counted() if self.total else 'fits'}")
        self.running[spec.key] = spec
        self._leave_queue(spec.key)
        self._eta.started(spec.key, kind_of(spec), _kind(spec)[1], now)
        self._line.enter(self._work)

    def _end(self, event: Finished | Failed | Pruned, *, trained: bool, now: float) -> None:
        key, spec = event.spec.key, event.spec
        self._leave_queue(key)
        self._eta.ended(key, now)
        if isinstance(event, Finished):
            self.trained += trained
            if key not in self.done:
                self.done.add(key)
                self._add_to_mean(event.spec, event.result)
            if trained:
                self._trial(spec, f"{self._shown(event.result)}  {event.result.wall_seconds:4.0f} s", _why(event))
        elif isinstance(event, Failed):
            self.failed += 1
            self._trial(spec, "failed", f": {event.reason}")
        else:
            self.pruned += 1
            self._trial(spec, f"stopped early after epoch {self.epochs.get(key, (0, 0))[0]}")
        if self.total and self._ended >= self.total and not self.running:
            self._line.enter("finishing")

    @property
    def _ended(self) -> int:
        return len(self.done) + self.failed + self.pruned

    def _leave_queue(self, key: str) -> None:
        if key in self._waiting:
            self._queue[self._waiting.pop(key)] -= 1

    def _trial(self, spec: TrialSpec, outcome: str, reason: str = "") -> None:
        begin = f"[{self._counted()}]  {outcome}  "
        text = wrapped(self.console, f"{begin}{self._described(spec)}{reason}", indent=min(len(begin), 24))
        self.console.print(text, markup=False, soft_wrap=True)
        self._written_at = time.monotonic()

    def _write_progress(self, now: float) -> None:
        """Where there is no status line, say now and then what it would say, with the epochs of the running fits."""
        if self.console.is_terminal or now - self._written_at < self.quiet_seconds:
            return
        self._written_at, line = now, self._line.words(PIPE_WIDTH).splitlines()[0]
        known = [self.epochs[key] for key in self.running if key in self.epochs][:SHOWN_EPOCHS]
        self.say(" · ".join([line, *(f"epoch {epoch} of {most}" for epoch, most in known)]))

    def _counted(self) -> str:
        ended = self._ended
        return f"{ended:{len(str(self.total))}}/{max(ended, self.total)}" if self.total else f"{ended}"

    def _described(self, spec: TrialSpec) -> str:
        """As `describe`, without the annotator if the study has only one."""
        annotator = f" annotator={spec.annotator}" if self._annotators > 1 else ""
        return f"{cell_words(spec.cell, self.plan.centre_cell)} seed={spec.seed}{annotator}{fold_words(spec.dataset)}"

    def _shown(self, result: TrialResult) -> str:
        tiou, value, leaky = _score(result)
        return f"{'' if leaky else 'holdout '}mAP@{tiou:g} {100 * value:4.1f}"

    def status_text(self) -> str:
        """The status line, without its spinner."""
        return self._line.words(self.console.width - 3)

    def _progress(self) -> str:
        return self._counted().strip() if self._line.phase == self._work else ""

    def _details(self) -> list[str]:
        """Parts of the status line, most important first."""
        details = []
        if self._line.phase == self._work and self.total:
            scoring = bool(self.running) and all(self._at_its_end(key) for key in tuple(self.running))
            details += ["scoring"] if scoring else [self._time_left()]
        elif self._ended:
            details += [f"{self._counted().strip()} done"]
        details += [f"{self.failed} failed"] if self.failed else []
        details += [f"{len(self.running)} running"] if self.running else []
        stalled = list(self.stalled.values())  # a copy: another thread may add to it
        if stalled:
            minutes = clock(time.monotonic() - min(stalled))
            details.insert(0, f"{len(stalled)} without progress for {minutes}")
        return [*details, *([f"{self.pruned} stopped early"] if self.pruned else [])]

    def _at_its_end(self, key: str) -> bool:
        epoch, epochs = self.epochs.get(key, (0, 1))
        return epoch == epochs

    def _time_left(self) -> str:
        waiting = +self._queue
        if self.plan.study.search.plan == "sampler":
            centre = self.plan.trial(self.plan.centre_cell, *self.plan.repeats[0]).spec
            waiting = Counter({_kind(centre): max(0, (self.total or 0) - self._ended - len(self.running))})
        seconds = self._eta.left(+waiting, time.monotonic())
        return "ETA after the first epochs" if seconds is None else f"{about(seconds)} left"

    def _add_to_mean(self, spec: TrialSpec, result: TrialResult) -> None:
        _, value, leaky = _score(result)
        cell = cell_words(spec.cell, self.plan.centre_cell)
        total, number = self._means.get(cell, (0.0, 0))
        self._means[cell], self._leaky = (total + 100 * value, number + 1), leaky

    def _best(self) -> str:
        """The best cell so far beside the centre, on held-out videos if there are any; only to watch a run."""
        means = {cell: total / number for cell, (total, number) in list(self._means.items())}
        if not means:
            return ""
        best, name = max(means, key=means.__getitem__), cell_words(self.plan.centre_cell, self.plan.centre_cell)
        beside = f" ({name} {means[name]:.1f})" if name in means and name != best else ""
        return f"best{self._leaky}: {means[best]:.1f} at {best}{beside}"


def _why(event: Finished) -> str:
    """Why a finished fit lacks detections, with a colon before it; "" if it lacks none."""
    note, others = event.result.note, "at the preset's inference settings; the tables have the study's"
    return f": {note} ({others})" if note and event.spec.settings else f": {note}" if note else ""


def _kind(spec: TrialSpec) -> tuple[Kind, int]:
    """Kind and epochs of a fit, for the estimate."""
    return kind_of(spec), int(spec.hyperparameters.get("epochs", 1))


def _score(result: TrialResult) -> tuple[float, float, str]:
    """tIoU, mAP there as a fraction, and a warning if it is of the test split."""
    tiou = SHOWN_TIOU if SHOWN_TIOU in result.tiou else result.tiou[0]
    values, leaky = (result.holdout_mAP, "") if result.holdout_mAP else (result.mAP, " on test, leaky")
    return tiou, values[result.tiou.index(tiou)], leaky


def describe(spec: TrialSpec, centre: Mapping[str, object]) -> str:
    """A trial by its cell, seed, annotator and fold."""
    return f"{cell_words(spec.cell, centre)} seed={spec.seed} annotator={spec.annotator}{fold_words(spec.dataset)}"
